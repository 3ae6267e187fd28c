package dev.peerbar.scenario.command;

import dev.peerbar.lab.boot.KernelLacksException;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.lab.kernel.KernelOptions;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.scenario.Scenario;
import dev.peerbar.lab.scenario.StepPrinter;
import dev.peerbar.lab.scenario.passthrough.NvmePassthroughScenario;
import dev.peerbar.lab.scenario.stock.NvmeBoot;
import dev.peerbar.lab.scenario.stock.NvmeScenario;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/** The labs of NVMe endpoints, each one long test in a guest of its own. */
final class StepLabs {
  private static final Duration SHELL = Duration.ofDays(365);

  private final LabFiles files;
  private final Path logs;
  private final boolean bench;
  private final Optional<String> topology;
  private boolean stepFailed;
  private boolean logsMatter;

  StepLabs(LabFiles files, Path logs, boolean bench, Optional<String> topology) {
    this.files = files;
    this.logs = logs;
    this.bench = bench;
    this.topology = topology;
  }

  /** Whether a step failed, rather than a kernel lacking something. */
  boolean stepFailed() {
    return stepFailed;
  }

  /** Whether there is something in the logs that somebody will want to read. */
  boolean logsMatter() {
    return logsMatter;
  }

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

  private List<Boot> boots() {
    return bench
        ? List.of(nvme(NvmeBoot.SPEED))
        : topology.map(List::of).orElse(Topology.NAMES).stream().flatMap(StepLabs::nvme).toList();
  }

  /** The guest's own driver first, then vfio-pci. */
  private static Stream<Boot> nvme(String topology) {
    return Stream.concat(
        NvmeBoot.on(topology).stream().map(StepLabs::nvme),
        Stream.of(
            new Boot(
                "nvme and hbm through vfio-pci on " + topology,
                LabCommand.PASSTHROUGH,
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

  boolean shell() throws IOException {
    try (Scenario scenario =
        boots().getFirst().starter.start(files, m -> m.withTerminal().withShell(), logs)) {
      return scenario.lab().qemu().awaitEnd(SHELL);
    }
  }

  boolean perform() throws IOException {
    boolean held = true;
    for (Boot boot : boots()) {
      held &= perform(boot);
    }
    return held;
  }

  private boolean perform(Boot boot) throws IOException {
    try {
      KernelLacksException.unlessThere(KernelOptions.of(files), boot.needs);
      return start(boot);
    } catch (KernelLacksException e) {
      System.err.printf("peerbar: no %s: %s%n", boot.headline, e.getMessage());
      return false;
    }
  }

  private boolean start(Boot boot) throws IOException {
    long start = System.nanoTime();
    try (Scenario scenario =
        boot.starter.start(files, machine -> machine, logs.resolve(boot.logs))) {
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
