package dev.peerbar.scenario.command;

import dev.peerbar.cli.CommandFailedException;
import dev.peerbar.cli.Subcommand;
import dev.peerbar.lab.boot.KernelLacksException;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.command.LabFilesOptions;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.lab.kernel.KernelOptions;
import dev.peerbar.lab.qemu.QemuEndedException;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.scenario.tour.Guide;
import dev.peerbar.scenario.tour.NoGuestException;
import dev.peerbar.scenario.tour.Tour;
import dev.peerbar.scenario.tour.Tours;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code peerbar lab}: guided tours, in booted guests. */
@Command(
    name = "lab",
    mixinStandardHelpOptions = true,
    description = {
      "Serves endpoints, boots a Linux guest with them, and performs a scenario step by step.",
      "p2p: two HBM endpoints do peer-to-peer DMA through a DMABUF and survive FLR.",
      "nvme: NVMe endpoints work under the guest's own driver and lend their CMB to each other; an"
          + " HBM endpoint writes commands into a CMB and rings the doorbell."
    },
    footer = {
      "",
      "Exit status: 0 if every step held, 1 if one did not, 2 for a wrong command line."
    })
public final class LabCommand implements Subcommand {
  @Spec private CommandSpec spec;

  @Parameters(
      arity = "0..1",
      paramLabel = "LAB",
      defaultValue = "p2p",
      description = "Which scenario: p2p (the default) or nvme.")
  private Tours tours;

  @Option(
      names = "--topology",
      paramLabel = "NAME",
      description =
          "one-switch or two-root-ports; without it p2p takes one-switch and nvme all that it"
              + " has.")
  private String topology;

  @Mixin private LabFilesOptions own;

  @Option(
      names = "--bench",
      description = "nvme: measure the speed beside that of QEMU's own nvme, for minutes.")
  private boolean bench;

  @Option(
      names = "--shell",
      description = "Give a shell in the guest, with the endpoints there, instead of the steps.")
  private boolean shell;

  @Option(
      names = "--keep-logs",
      paramLabel = "DIR",
      description =
          "Keep the logs of QEMU and the guest there. Without it they are kept, in a temporary"
              + " directory, only if a step fails or a boot is not quiet.")
  private Path keepLogs;

  private boolean stepFailed;

  /** Whether there is something in the logs that somebody will want to read. */
  private boolean logsMatter;

  /** What a kernel is needed for when a function is the agent's by vfio-pci. */
  static final Set<KernelNeed> PASSTHROUGH =
      EnumSet.of(
          KernelNeed.BOOT, KernelNeed.IOMMU, KernelNeed.VFIO, KernelNeed.DMABUF, KernelNeed.P2PDMA);

  @Override
  public Integer call() throws IOException {
    if (topology != null && !Topology.NAMES.contains(topology)) {
      throw new ParameterException(
          spec.commandLine(),
          "There is no topology %s; there are %s"
              .formatted(topology, String.join(" and ", Topology.NAMES)));
    }
    if (bench && (tours != Tours.NVME || topology != null)) {
      throw new ParameterException(
          spec.commandLine(), "--bench is an option of nvme, and has a topology of its own");
    }
    LabFiles files = own.setUp();
    Path logs = keepLogs != null ? keepLogs : Files.createTempDirectory("peerbar-logs-");
    boolean held;
    try {
      held = run(files, logs);
    } catch (KernelLacksException e) {
      throw new CommandFailedException(e.getMessage(), e);
    } catch (QemuEndedException | NoGuestException e) {
      logsMatter = true;
      throw new CommandFailedException(
          "%s. %s; the logs are in %s".formatted(e.getMessage(), own.wayOut(), logs), e);
    } catch (IOException e) {
      logsMatter = true;
      throw new CommandFailedException("%s; the logs are in %s".formatted(e.getMessage(), logs), e);
    } finally {
      if (!logsMatter && keepLogs == null) {
        Lab.delete(logs);
      }
    }
    if (stepFailed) {
      System.err.println("peerbar: a step failed; the logs are in " + logs);
    }
    return held ? 0 : 1;
  }

  private boolean run(LabFiles files, Path logs) throws IOException {
    Optional<String> where = Optional.ofNullable(topology);
    List<Tour<?>> shown = tours.on(where);
    if (shown.isEmpty()) {
      StepLabs labs = new StepLabs(files, logs, bench, where);
      boolean held = shell ? labs.shell() : labs.perform();
      stepFailed = labs.stepFailed();
      logsMatter = labs.logsMatter();
      return held;
    }
    Guide guide = new Guide(files, logs, System.out);
    if (shell) {
      return guide.shell(shown.getFirst());
    }
    // All of them, for a report that says all: tours do not depend on each other.
    boolean held = true;
    for (Tour<?> tour : shown) {
      held &= perform(guide, tour, files);
    }
    logsMatter = stepFailed || guide.bootComplained();
    return held;
  }

  private boolean perform(Guide guide, Tour<?> tour, LabFiles files) throws IOException {
    try {
      KernelLacksException.unlessThere(KernelOptions.of(files), PASSTHROUGH);
    } catch (KernelLacksException e) {
      spec.commandLine().getErr().printf("peerbar: no %s: %s%n", tour.headline(), e.getMessage());
      return false;
    }
    boolean held = guide.perform(tour);
    stepFailed |= !held;
    return held;
  }
}
