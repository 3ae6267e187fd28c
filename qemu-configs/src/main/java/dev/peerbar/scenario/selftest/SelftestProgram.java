package dev.peerbar.scenario.selftest;

import dev.peerbar.lab.guest.GuestProgram;
import dev.peerbar.lab.setup.Selftests;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** One of the kernel's tests of vfio, run with one type of endpoint. */
final class SelftestProgram implements Scenario<SelftestPair> {
  /** How long it is waited for at once: its time is the scenario's. */
  private static final Duration SLICE = Duration.ofMinutes(1);

  private final String program;
  private final List<String> options;
  private final FixtureKind<SelftestPair> fixture;
  private final Description description;

  /**
   * @param program its name
   * @param options that it is given
   * @param fixture of the type of endpoint
   */
  SelftestProgram(
      String program,
      List<String> options,
      TestedEndpoint type,
      FixtureKind<SelftestPair> fixture) {
    this.program = program;
    this.options = List.copyOf(options);
    this.fixture = fixture;
    description =
        Description.of(
            "%s.%s.%s".formatted(SelftestSuite.FAMILY, type.label(), program),
            "run %s with %s".formatted(program, type),
            "none of its tests fails");
  }

  @Override
  public Description description() {
    return description;
  }

  @Override
  public FixtureKind<SelftestPair> fixture() {
    return fixture;
  }

  @Override
  public String run(SelftestPair pair) throws Exception {
    // vfio_dma_mapping_mmio_test maps BARs of registers, and QEMU says that nobody reaches them
    // there.
    pair.run().mayComplain(line -> line.contains("iommu map to non memory area"));
    // Both outputs as one: what a test says on the second belongs to a line on the first.
    List<String> words = new ArrayList<>(List.of("/bin/sh", "-c", "exec \"$@\" 2>&1", "sh"));
    words.add("/%s/%s".formatted(Selftests.PLACE, program));
    words.addAll(options);
    // As scripts/run.sh beside the tests has it: all functions, of which most take the first.
    pair.functions().forEach(function -> words.add(function.address()));
    try (GuestProgram running = pair.lab().guest().start(words.toArray(String[]::new))) {
      Optional<GuestProgram.Outcome> outcome = Optional.empty();
      while (outcome.isEmpty()) {
        outcome = running.await(SLICE);
      }
      String output = outcome.get().out();
      Tap.Report report = Tap.read(output);
      pair.run().made(report.subtests());
      return Verdict.of(outcome.get().status(), output, report);
    }
  }
}
