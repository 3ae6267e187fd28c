package dev.peerbar.lab.command;

import dev.peerbar.cli.CommandFailedException;
import dev.peerbar.cli.Subcommand;
import dev.peerbar.lab.boot.KernelLacksException;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.lab.kernel.KernelOptions;
import dev.peerbar.lab.qemu.QemuEndedException;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.scenario.Scenario;
import dev.peerbar.lab.scenario.StepPrinter;
import dev.peerbar.lab.scenario.passthrough.NvmePassthroughScenario;
import dev.peerbar.lab.scenario.passthrough.P2pScenario;
import dev.peerbar.lab.scenario.stock.NvmeBoot;
import dev.peerbar.lab.scenario.stock.NvmeScenario;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code peerbar lab}: a scenario in a booted guest. */
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
  private static final Duration SHELL = Duration.ofDays(365);

  /** The labs there are. */
  private enum Name {
    P2P,
    NVME
  }

  @Spec private CommandSpec spec;

  @Parameters(
      arity = "0..1",
      paramLabel = "LAB",
      defaultValue = "p2p",
      description = "Which scenario: p2p (the default) or nvme.")
  private Name name;

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
  private static final Set<KernelNeed> PASSTHROUGH =
      EnumSet.of(
          KernelNeed.BOOT, KernelNeed.IOMMU, KernelNeed.VFIO, KernelNeed.DMABUF, KernelNeed.P2PDMA);

  /** What it is needed for when a function is its own driver's. */
  private static final Set<KernelNeed> STOCK =
      EnumSet.of(
          KernelNeed.BOOT,
          KernelNeed.NVME,
          KernelNeed.FILES,
          KernelNeed.P2PDMA,
          KernelNeed.USERLAND);

  /** A boot to perform: what it needs, how to start it, and where its logs go. */
  private record Boot(String headline, Set<KernelNeed> needs, String logs, Starter starter) {}

  @FunctionalInterface
  private interface Starter {
    Scenario start(LabFiles files, UnaryOperator<VirtualMachine> finish, Path logs)
        throws IOException;
  }

  @Override
  public Integer call() throws IOException {
    if (topology != null && !Topology.NAMES.contains(topology)) {
      throw new ParameterException(
          spec.commandLine(),
          "There is no topology %s; there are %s"
              .formatted(topology, String.join(" and ", Topology.NAMES)));
    }
    if (bench && (name != Name.NVME || topology != null)) {
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
    } catch (QemuEndedException e) {
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

  private List<Boot> boots() {
    return switch (name) {
      case P2P -> {
        String where = topology != null ? topology : Topology.NAMES.getFirst();
        yield List.of(
            new Boot(
                "p2p on " + where,
                PASSTHROUGH,
                ".",
                (files, finish, logs) ->
                    P2pScenario.start(
                        files, finish.apply(VirtualMachine.of(Topology.named(where))), logs)));
      }
      case NVME ->
          bench
              ? List.of(nvme(NvmeBoot.SPEED))
              : (topology == null ? Topology.NAMES : List.of(topology))
                  .stream().flatMap(LabCommand::nvme).toList();
    };
  }

  /** The guest's own driver first, then vfio-pci. */
  private static Stream<Boot> nvme(String topology) {
    return Stream.concat(
        NvmeBoot.on(topology).stream().map(LabCommand::nvme),
        Stream.of(
            new Boot(
                "nvme and hbm through vfio-pci on " + topology,
                PASSTHROUGH,
                "passthrough-" + topology,
                (files, finish, logs) ->
                    NvmePassthroughScenario.start(
                        files, finish.apply(VirtualMachine.of(Topology.named(topology))), logs))));
  }

  private static Boot nvme(NvmeBoot boot) {
    return new Boot(
        "nvme on " + boot.headline(),
        STOCK,
        boot.name().toLowerCase(Locale.ROOT).replace('_', '-'),
        (files, finish, logs) ->
            NvmeScenario.start(files, boot, finish.apply(boot.machine()), logs));
  }

  private boolean run(LabFiles files, Path logs) throws IOException {
    List<Boot> boots = boots();
    if (shell) {
      Boot first = boots.getFirst();
      try (Scenario scenario =
          first.starter.start(files, m -> m.withTerminal().withShell(), logs)) {
        return scenario.lab().qemu().awaitEnd(SHELL);
      }
    }
    // All of them, for a report that says all: boots do not depend on each other.
    boolean held = true;
    for (Boot boot : boots) {
      held &= perform(boot, files, logs.resolve(boot.logs).normalize());
    }
    return held;
  }

  private boolean perform(Boot boot, LabFiles files, Path logs) throws IOException {
    try {
      KernelLacksException.unlessThere(KernelOptions.of(files), boot.needs);
      return start(boot, files, logs);
    } catch (KernelLacksException e) {
      spec.commandLine().getErr().printf("peerbar: no %s: %s%n", boot.headline, e.getMessage());
      return false;
    }
  }

  private boolean start(Boot boot, LabFiles files, Path logs) throws IOException {
    long start = System.nanoTime();
    try (Scenario scenario = boot.starter.start(files, machine -> machine, logs)) {
      System.out.printf("%s: the guest is up after %.1f s%n", boot.headline, seconds(start));
      tellOfBoot(scenario.lab());
      KernelLacksException.unlessThere(scenario.lab().kernelOptions(), boot.needs);
      boolean held = new StepPrinter(System.out).perform(scenario);
      stepFailed |= !held;
      logsMatter |= !held;
      System.out.printf(
          "%s in %.1f s%n", held ? "every step held" : "a step failed", seconds(start));
      return held;
    }
  }

  // Once, and held against no step.
  private void tellOfBoot(Lab lab) {
    List<Lab.Complaint> complaints = lab.bootComplaints();
    if (!complaints.isEmpty()) {
      System.out.printf(
          "its boot was not quiet, which no step answers for (%s):%n", lab.logs().toAbsolutePath());
      complaints.forEach(c -> System.out.println("             " + c));
      logsMatter = true;
    }
  }

  private static double seconds(long start) {
    return (System.nanoTime() - start) / 1e9;
  }
}
