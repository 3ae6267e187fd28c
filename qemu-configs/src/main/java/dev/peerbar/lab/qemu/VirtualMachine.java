package dev.peerbar.lab.qemu;

import dev.peerbar.lab.files.LabFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A guest as it is to be started. Immutable: each method gives another guest. */
public final class VirtualMachine {

  /**
   * The panic timeout makes the guest reboot at once, which ends QEMU. Without PNPACPI the
   * console's interrupt is the plain ISA one, and the kernel has no reason to warn of its trigger
   * mode. It also warns when it would map device memory, or its own above 4 GiB, with huge pages
   * and knows no MTRRs, so it shall not try; and when a busy host's clocks make it believe that its
   * timer does not work, so it shall not test that either.
   */
  private static final String KERNEL_COMMAND_LINE =
      "console=ttyS0 loglevel=8 panic=-1 pnpacpi=off nohugeiomap nohugevmalloc no_timer_check"
          + " intel_iommu=on";

  private static final int MEMORY_GIB = 1;

  private final Topology topology;
  private CpuModel cpu = CpuModel.AMD;
  private int cpus = 2;
  private int memoryGib = MEMORY_GIB;
  private String accel = "tcg";
  private Viommu viommu = Viommu.INTEL;

  /** Sockets by port. */
  private Map<String, Path> endpoints = Map.of();

  private List<String> extra = List.of();
  private boolean interactive;

  /** More of the kernel's command line. */
  private String append = "";

  private boolean userland;

  private VirtualMachine(Topology topology) {
    this.topology = topology;
  }

  /** Two CPUs by AMD, 1 GiB, an Intel vIOMMU, no endpoint yet. */
  public static VirtualMachine of(Topology topology) {
    return new VirtualMachine(topology);
  }

  private VirtualMachine changed(Consumer<VirtualMachine> change) {
    VirtualMachine other = new VirtualMachine(topology);
    other.cpu = cpu;
    other.cpus = cpus;
    other.memoryGib = memoryGib;
    other.accel = accel;
    other.viommu = viommu;
    other.endpoints = endpoints;
    other.extra = extra;
    other.interactive = interactive;
    other.append = append;
    other.userland = userland;
    change.accept(other);
    return other;
  }

  /**
   * With the endpoint that a vfio-user server offers at a socket, on port {@code a}, {@code b} or
   * {@code c}.
   */
  public VirtualMachine withEndpoint(String port, Path socket) {
    Map<String, Path> more = new HashMap<>(endpoints);
    more.put(port, socket);
    return changed(m -> m.endpoints = Map.copyOf(more));
  }

  /** With nothing on the ports. */
  public VirtualMachine withoutEndpoints() {
    return changed(m -> m.endpoints = Map.of());
  }

  /** With more QEMU arguments. */
  public VirtualMachine withArguments(String... arguments) {
    List<String> more = new ArrayList<>(extra);
    more.addAll(List.of(arguments));
    return changed(m -> m.extra = List.copyOf(more));
  }

  public VirtualMachine withCpu(CpuModel model) {
    return changed(m -> m.cpu = model);
  }

  /** With this many processors. */
  public VirtualMachine withCpus(int number) {
    return changed(m -> m.cpus = number);
  }

  /** With this much memory, in GiB. */
  public VirtualMachine withMemory(int gib) {
    return changed(m -> m.memoryGib = gib);
  }

  /**
   * With {@code tcg}, or {@code kvm} where that is known to work: there are machines whose {@code
   * /dev/kvm} hangs a kernel at start.
   */
  public VirtualMachine withAccel(String name) {
    return changed(m -> m.accel = name);
  }

  public VirtualMachine withViommu(Viommu kind) {
    return changed(m -> m.viommu = kind);
  }

  /** With the guest's console on this terminal; it is logged all the same. */
  public VirtualMachine withTerminal() {
    return changed(m -> m.interactive = true);
  }

  /** Whether its console is this process's terminal. */
  public boolean interactive() {
    return interactive;
  }

  /** With more words on the kernel's command line. */
  public VirtualMachine withKernelArguments(String words) {
    return changed(m -> m.append = append + " " + words);
  }

  /**
   * With a shell of the guest on its console from the start; when it ends, the guest turns itself
   * off.
   */
  public VirtualMachine withShell() {
    return withKernelArguments("peerbar.shell");
  }

  /**
   * With the distribution's programs under the guest's {@code /usr}: nvme, fio, mkfs.ext4 and what
   * else {@link dev.peerbar.lab.setup.Setup} has unpacked.
   */
  public VirtualMachine withUserland() {
    return withKernelArguments("peerbar.userland").changed(m -> m.userland = true);
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
    values.put("MEMORY", memoryGib + "G");
    values.put("KERNEL", files.kernel().toString());
    values.put("INITRAMFS", files.initramfs().toString());
    values.put(
        "APPEND",
        Stream.of(
                KERNEL_COMMAND_LINE,
                viommu.kernelArguments(),
                files.kernelArguments(),
                append.strip())
            .filter(words -> !words.isEmpty())
            .collect(Collectors.joining(" ")));
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
    socket("c").ifPresent(s -> values.put("SOCKET_C", s));
    if (userland) {
      values.put("USERLAND", optionValue(files.userland()));
      values.put("USERLAND_ID", "userland");
    }
    List<String> line = new ArrayList<>(files.qemu().command());
    line.addAll(topology.expand(values));
    line.addAll(viommu.arguments());
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
