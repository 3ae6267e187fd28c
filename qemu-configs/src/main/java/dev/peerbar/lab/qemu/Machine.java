package dev.peerbar.lab.qemu;

import dev.peerbar.lab.setup.LabFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A guest as it is to be started.
 *
 * @param topology how the endpoints hang together
 * @param cpu its processor
 * @param cpus how many
 * @param accel {@code tcg}, or {@code kvm} where that is known to work: there are machines whose
 *     {@code /dev/kvm} hangs a kernel at start
 * @param viommu its IOMMU
 * @param memory its RAM, as QEMU writes sizes
 * @param endpoints vfio-user sockets by port, {@code "a"} and {@code "b"}
 * @param extra more QEMU arguments, such as QEMU's own devices on {@code bus=port-a}
 * @param interactive whether its console is this terminal (it is logged all the same)
 * @param append more of the kernel's command line
 */
public record Machine(
    Topology topology,
    CpuModel cpu,
    int cpus,
    String accel,
    Viommu viommu,
    String memory,
    Map<String, Path> endpoints,
    List<String> extra,
    boolean interactive,
    String append) {

  /**
   * The panic timeout makes the guest reboot at once, which ends QEMU. Without PNPACPI the
   * console's interrupt is the plain ISA one, and the kernel has no reason to warn of its trigger
   * mode. It also warns when it would map device memory with huge pages and knows no MTRRs, so it
   * shall not try.
   */
  private static final String KERNEL_COMMAND_LINE =
      "console=ttyS0 loglevel=8 panic=-1 pnpacpi=off nohugeiomap intel_iommu=on";

  public Machine {
    endpoints = Map.copyOf(endpoints);
    extra = List.copyOf(extra);
  }

  /** Two CPUs, 1 GiB, an Intel vIOMMU, no endpoint yet. */
  public static Machine of(Topology topology) {
    return new Machine(
        topology, CpuModel.AMD, 2, "tcg", Viommu.INTEL, "1G", Map.of(), List.of(), false, "");
  }

  /**
   * With the endpoint that a vfio-user server offers at a socket, on port {@code a} or {@code b}.
   */
  public Machine withEndpoint(String port, Path socket) {
    Map<String, Path> more = new HashMap<>(endpoints);
    more.put(port, socket);
    return new Machine(
        topology, cpu, cpus, accel, viommu, memory, more, extra, interactive, append);
  }

  /** With more QEMU arguments. */
  public Machine withArguments(String... arguments) {
    List<String> more = new ArrayList<>(extra);
    more.addAll(List.of(arguments));
    return new Machine(
        topology, cpu, cpus, accel, viommu, memory, endpoints, more, interactive, append);
  }

  public Machine withCpu(CpuModel model) {
    return new Machine(
        topology, model, cpus, accel, viommu, memory, endpoints, extra, interactive, append);
  }

  /** With {@code tcg}, {@code kvm} or what else QEMU has. */
  public Machine withAccel(String name) {
    return new Machine(
        topology, cpu, cpus, name, viommu, memory, endpoints, extra, interactive, append);
  }

  public Machine withViommu(Viommu kind) {
    return new Machine(
        topology, cpu, cpus, accel, kind, memory, endpoints, extra, interactive, append);
  }

  /** With the guest's console on this terminal. */
  public Machine withTerminal() {
    return new Machine(topology, cpu, cpus, accel, viommu, memory, endpoints, extra, true, append);
  }

  /**
   * With a shell of the guest on its console from the start; when it ends, the guest turns itself
   * off.
   */
  public Machine withShell() {
    return new Machine(
        topology,
        cpu,
        cpus,
        accel,
        viommu,
        memory,
        endpoints,
        extra,
        interactive,
        append + " peerbar.shell");
  }

  /**
   * The whole command line.
   *
   * @param files what to start
   * @param run directory of the sockets; its path must be short enough for them (about 90 bytes)
   * @param logs directory of the console's log
   */
  public List<String> commandLine(LabFiles files, Path run, Path logs) {
    Map<String, String> values = new HashMap<>();
    values.put("ACCEL", accel);
    values.put("CPU", cpu.option());
    values.put("CPUS", Integer.toString(cpus));
    values.put("MEMORY", memory);
    values.put("KERNEL", files.kernel().toString());
    values.put("INITRAMFS", files.initramfs().toString());
    values.put("APPEND", (KERNEL_COMMAND_LINE + " " + append.strip()).strip());
    values.put("RUN", optionValue(run));
    String log = optionValue(logs.resolve(Qemu.CONSOLE_LOG));
    values.put(
        "CONSOLE",
        interactive
            ? "stdio,id=console,signal=off,mux=off,logfile=" + log
            : "file,id=console,path=" + log);
    viommu.option().ifPresent(v -> values.put("VIOMMU", v));
    socket("a").ifPresent(s -> values.put("SOCKET_A", s));
    socket("b").ifPresent(s -> values.put("SOCKET_B", s));
    List<String> line = new ArrayList<>(files.qemu().command());
    line.addAll(topology.expand(values));
    line.addAll(extra);
    return List.copyOf(line);
  }

  private Optional<String> socket(String port) {
    // The place of the path is a JSON string.
    return Optional.ofNullable(endpoints.get(port))
        .map(p -> p.toString().replace("\\", "\\\\").replace("\"", "\\\""));
  }

  // QEMU's key=value lists take a comma doubled.
  private static String optionValue(Path path) {
    return path.toString().replace(",", ",,");
  }
}
