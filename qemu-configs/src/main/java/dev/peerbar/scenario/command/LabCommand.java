package dev.peerbar.scenario.command;

import dev.peerbar.cli.CommandFailedException;
import dev.peerbar.cli.Subcommand;
import dev.peerbar.lab.boot.KernelLacksException;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.qemu.QemuEndedException;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.scenario.tour.Guide;
import dev.peerbar.scenario.tour.NoGuestException;
import dev.peerbar.scenario.tour.Tour;
import dev.peerbar.scenario.tour.Tours;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
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
      "Serves endpoints, boots a Linux guest with them, and shows step by step what they do.",
      "p2p: two HBM endpoints do peer-to-peer DMA through a DMABUF and survive FLR.",
      "nvme: NVMe endpoints work under the guest's own driver and lend their CMB to each other; an"
          + " HBM endpoint writes commands into a CMB and rings the doorbell."
    },
    footer = {
      "",
      "Exit status: 0 if every step held, 1 if one did not, 125 if a kernel does not build, 128 if"
          + " something of a guest cannot be got or used, 2 for a wrong command line."
    })
public final class LabCommand implements Subcommand {
  @Spec private CommandSpec spec;

  @Parameters(
      arity = "0..1",
      paramLabel = "LAB",
      defaultValue = "p2p",
      description = "What to show: p2p (the default) or nvme.")
  private Tours tours;

  @Option(
      names = "--topology",
      paramLabel = "NAME",
      description =
          "one-switch, two-root-ports, nested-switches, two-host-bridges or acs-switch; without it p2p"
              + " takes the first and nvme the first two.")
  private String topology;

  @Mixin private LabFilesOptions own;

  @Option(
      names = "--bench",
      description = "nvme: measure the speed beside that of QEMU's own nvme, for minutes.")
  private boolean bench;

  @Option(
      names = "--poll",
      description =
          "nvme --bench: poll the endpoint, as 'peerbar serve nvme --poll' would: it takes a whole"
              + " processor of those that QEMU has, too.")
  private boolean poll;

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

  @Override
  public Integer call() throws IOException {
    if (topology != null && !Topology.NAMES.contains(topology)) {
      throw new ParameterException(
          spec.commandLine(),
          "There is no topology %s; there are %s"
              .formatted(topology, String.join(", ", Topology.NAMES)));
    }
    if (bench && (tours != Tours.NVME || topology != null)) {
      throw new ParameterException(
          spec.commandLine(), "--bench is an option of nvme, and has a topology of its own");
    }
    if (poll && !bench) {
      throw new ParameterException(
          spec.commandLine(), "--poll is for measuring: give it with nvme --bench");
    }
    own.check();
    if (own.kernels().size() > 1) {
      throw new ParameterException(
          spec.commandLine(),
          "A tour is shown with one kernel, not with %d".formatted(own.kernels().size()));
    }
    LabFiles files = own.setUp().values().iterator().next();
    Path logs = keepLogs != null ? keepLogs : Files.createTempDirectory("peerbar-logs-");
    Guide guide = new Guide(files, logs, System.out, own);
    try {
      return run(guide) ? 0 : 1;
    } catch (KernelLacksException e) {
      throw new CommandFailedException(e.getMessage(), e);
    } catch (QemuEndedException | NoGuestException e) {
      throw new CommandFailedException(
          "%s. %s; the logs are in %s".formatted(e.getMessage(), own.wayOut(), logs), e);
    } catch (IOException e) {
      throw new CommandFailedException("%s; the logs are in %s".formatted(e.getMessage(), logs), e);
    } finally {
      if (guide.stepFailed()) {
        System.err.println("peerbar: a step failed; the logs are in " + logs);
      }
      if (!guide.logsMatter() && keepLogs == null) {
        Lab.delete(logs);
      }
    }
  }

  private boolean run(Guide guide) throws IOException {
    List<Tour<?>> shown =
        bench ? List.of(Tours.speed(poll)) : tours.on(Optional.ofNullable(topology));
    if (shell) {
      return guide.shell(shown.getFirst());
    }
    // All of them, for a report that says all: tours do not depend on each other.
    boolean held = true;
    for (Tour<?> tour : shown) {
      try {
        held &= guide.perform(tour);
      } catch (KernelLacksException e) {
        spec.commandLine().getErr().printf("peerbar: no %s: %s%n", tour.headline(), e.getMessage());
        held = false;
      }
    }
    return held;
  }
}
