package dev.peerbar.lab.scenario;

import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupOutput;
import dev.peerbar.scenario.UnexpectedException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;

/** The steps of a scenario, each a test: one boot, from the first test to the last. */
public final class StepTests {
  private final Path logs;
  private final Boot boot;
  private Scenario scenario;
  private boolean failed;

  /** How a scenario begins. */
  @FunctionalInterface
  public interface Start {
    Scenario start(LabFiles files, VirtualMachine machine, Path logs) throws IOException;
  }

  /** How a scenario begins that chooses its machine. */
  @FunctionalInterface
  public interface Boot {
    Scenario start(LabFiles files, Path logs) throws IOException;
  }

  private StepTests(String name, Boot boot) {
    this.boot = boot;
    logs = Path.of("target", "lab-logs", name);
  }

  /**
   * One boot.
   *
   * @param name of the tests and of the log directory
   */
  public static DynamicNode inOneBoot(String name, Boot boot) {
    return DynamicContainer.dynamicContainer(name, new StepTests(name, boot).tests());
  }

  /**
   * A boot for each topology.
   *
   * @param name of the scenario in the names of log directories
   */
  public static Stream<DynamicNode> inEveryTopology(String name, Start start) {
    return Topology.NAMES.stream()
        .map(topology ->
            inOneBoot(
                name + "-" + topology,
                (files, logs) ->
                    start.start(files, VirtualMachine.of(Topology.named(topology)), logs)));
  }

  private Stream<DynamicTest> tests() {
    // Lazily: the steps are there once the guest is.
    return Stream.of(
            Stream.of(DynamicTest.dynamicTest("boot", this::boot)),
            Stream.of("steps").flatMap(_ -> steps()),
            Stream.of(DynamicTest.dynamicTest("close", this::close)))
        .flatMap(tests -> tests);
  }

  private Stream<DynamicTest> steps() {
    return scenario == null
        ? Stream.empty()
        : scenario.steps().stream()
            .map(step ->
                DynamicTest.dynamicTest(step.id() + ": " + step.title(), () -> perform(step)));
  }

  private void boot() throws Exception {
    failed = true;
    scenario = boot.start(Setup.ofUser(SetupOutput.toStandardError()).run(), logs);
    failed = false;
  }

  private void perform(Step step) throws Exception {
    assumeTrue(!failed, "a step before this one failed");
    failed = true;
    try {
      step.action().perform();
    } catch (UnexpectedException e) {
      fail(
          "%s: expected %s; saw %s (the logs are in %s)",
          step.title(), step.expected(), e.getMessage(), logs);
    }
    failed = false;
  }

  private void close() throws Exception {
    if (scenario != null) {
      scenario.close();
    }
  }
}
