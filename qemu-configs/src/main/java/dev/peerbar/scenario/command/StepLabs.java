package dev.peerbar.scenario.command;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.scenario.Scenario;
import dev.peerbar.lab.scenario.StepPrinter;
import dev.peerbar.lab.scenario.stock.NvmeBoot;
import dev.peerbar.lab.scenario.stock.NvmeScenario;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * The labs of NVMe endpoints under the guest's own driver, each one long test in a guest of its
 * own.
 */
final class StepLabs {
  private static final Duration SHELL = Duration.ofDays(365);

  private final LabFiles files;
  private final Path logs;
  private final boolean bench;
  private final Optional<String> topology;
  private boolean bootComplained;

  StepLabs(LabFiles files, Path logs, boolean bench, Optional<String> topology) {
    this.files = files;
    this.logs = logs;
    this.bench = bench;
    this.topology = topology;
  }

  /** Whether there is a log to read of a boot that was not quiet. */
  boolean bootComplained() {
    return bootComplained;
  }

  /** A boot to perform: how to start it, and where its logs go. */
  private record Boot(String headline, String logs, Starter starter) {}

  @FunctionalInterface
  private interface Starter {
    Scenario start(LabFiles files, UnaryOperator<VirtualMachine> finish, Path logs)
        throws IOException;
  }

  private List<Boot> boots() {
    return bench
        ? List.of(nvme(NvmeBoot.SPEED))
        : topology.map(List::of).orElse(Topology.NAMES).stream()
            .flatMap(where -> NvmeBoot.on(where).stream())
            .map(StepLabs::nvme)
            .toList();
  }

  private static Boot nvme(NvmeBoot boot) {
    return new Boot(
        "nvme on " + boot.headline(),
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
    long start = System.nanoTime();
    try (Scenario scenario =
        boot.starter.start(files, machine -> machine, logs.resolve(boot.logs))) {
      System.out.printf("%s: the guest is up after %.1f s%n", boot.headline, seconds(start));
      tellOfBoot(scenario.lab());
      boolean held = new StepPrinter(System.out).perform(scenario);
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
      bootComplained = true;
    }
  }

  private static double seconds(long start) {
    return (System.nanoTime() - start) / 1e9;
  }
}
