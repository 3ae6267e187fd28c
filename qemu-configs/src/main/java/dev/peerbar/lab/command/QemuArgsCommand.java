package dev.peerbar.lab.command;

import dev.peerbar.cli.Subcommand;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.qemu.CpuModel;
import dev.peerbar.lab.qemu.ShellWords;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.Viommu;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupException;
import dev.peerbar.lab.setup.SetupOutput;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine;

/** {@code peerbar qemu-args}. */
@CommandLine.Command(
    name = "qemu-args",
    mixinStandardHelpOptions = true,
    description = "Prints the complete QEMU command line of a topology, quoted for a shell.")
public final class QemuArgsCommand implements Subcommand {
  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @CommandLine.Option(
      names = "--topology",
      paramLabel = "NAME",
      defaultValue = "one-switch",
      description =
          "one-switch, two-root-ports, nested-switches, two-host-bridges or acs-switch (default:"
              + " ${DEFAULT-VALUE}).")
  private String topology;

  @CommandLine.Option(
      names = "--viommu",
      paramLabel = "NAME",
      defaultValue = "intel-iommu",
      description = "intel-iommu, amd-iommu, virtio-iommu or none (default: ${DEFAULT-VALUE}).")
  private String viommu;

  @CommandLine.Option(
      names = "--socket-a",
      paramLabel = "PATH",
      defaultValue = "/tmp/peerbar-a.sock",
      description = "Where the server of endpoint A listens (default: ${DEFAULT-VALUE}).")
  private Path socketA;

  @CommandLine.Option(
      names = "--socket-b",
      paramLabel = "PATH",
      defaultValue = "/tmp/peerbar-b.sock",
      description = "Where the server of endpoint B listens (default: ${DEFAULT-VALUE}).")
  private Path socketB;

  @CommandLine.Option(
      names = "--socket-c",
      paramLabel = "PATH",
      description = "Where the server of an endpoint C listens, if there is one.")
  private Path socketC;

  @CommandLine.Option(
      names = "--userland",
      description = "With nvme, fio and other programs in the guest.")
  private boolean userland;

  @CommandLine.Option(
      names = "--cpu",
      paramLabel = "VENDOR",
      defaultValue = "AMD",
      description =
          "AMD or INTEL: the host bridge's rule for peer-to-peer DMA (default: ${DEFAULT-VALUE}).")
  private CpuModel cpu;

  @CommandLine.Option(
      names = "--accel",
      paramLabel = "NAME",
      defaultValue = "tcg",
      description = "tcg, or kvm where it works (default: ${DEFAULT-VALUE}).")
  private String accel;

  @CommandLine.Option(
      names = "--run-dir",
      paramLabel = "DIR",
      defaultValue = "/tmp",
      description =
          "Where QEMU makes its sockets and the console's log (default: ${DEFAULT-VALUE}).")
  private Path run;

  @CommandLine.Option(
      names = "--kernel",
      paramLabel = "BZIMAGE",
      description = "A guest kernel of your own.")
  private Path kernel;

  @CommandLine.Option(
      names = "--qemu",
      paramLabel = "PATH",
      description = "A QEMU of your own, 10.1 or later.")
  private Path qemu;

  @Override
  public Integer call() throws IOException {
    if (!Topology.NAMES.contains(topology)) {
      throw new CommandLine.ParameterException(
          spec.commandLine(),
          "There is no topology "
              + topology
              + "; there are "
              + String.join(", ", Topology.NAMES)
              + ".");
    }
    Viommu seen =
        Viommu.named(viommu)
            .orElseThrow(() ->
                new CommandLine.ParameterException(
                    spec.commandLine(),
                    "There is no vIOMMU %s; there are %s.".formatted(viommu, Viommu.labels())));
    try {
      Setup setup = Setup.ofUser(SetupOutput.toStandardError());
      setup = kernel == null ? setup : setup.withKernel(kernel);
      setup = qemu == null ? setup : setup.withQemu(qemu);
      LabFiles files = setup.run();
      VirtualMachine machine =
          VirtualMachine.of(Topology.named(topology))
              .withCpu(cpu)
              .withViommu(seen)
              .withAccel(accel)
              .withEndpoint("a", socketA)
              .withEndpoint("b", socketB)
              .withTerminal()
              .withShell();
      machine = socketC == null ? machine : machine.withEndpoint("c", socketC);
      machine = userland ? machine.withUserland() : machine;
      System.out.println(
          ShellWords.commandLine(files.qemu().environment(), machine.commandLine(files, run, run)));
      return 0;
    } catch (SetupException e) {
      System.err.println("peerbar: " + e.getMessage());
      return 1;
    }
  }
}
