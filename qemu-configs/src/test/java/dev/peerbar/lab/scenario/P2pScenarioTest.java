package dev.peerbar.lab.scenario;

import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.peerbar.lab.qemu.Machine;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.Steps;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The steps of {@code peerbar lab p2p}, each a test: one boot for each topology. */
final class P2pScenarioTest {

  @TestFactory
  Stream<DynamicNode> p2p() {
    return Topology.NAMES.stream()
        .map(topology -> DynamicContainer.dynamicContainer(topology, new Run(topology).tests()));
  }

  /** One boot. It begins with its first test and ends with its last. */
  private static final class Run {
    private final String topology;
    private Scenario scenario;
    private boolean failed;

    Run(String topology) {
      this.topology = topology;
    }

    Stream<DynamicTest> tests() {
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
      scenario =
          P2pScenario.start(
              Setup.ofUser(Steps.toStandardError()).run(),
              Machine.of(Topology.named(topology)),
              Path.of("target", "lab-logs", "p2p-" + topology));
      failed = false;
    }

    private void perform(Step step) throws Exception {
      assumeTrue(!failed, "a step before this one failed");
      failed = true;
      try {
        step.action().perform();
      } catch (UnexpectedException e) {
        fail(
            "%s: expected %s; saw %s (the logs are in target/lab-logs)",
            step.title(), step.expected(), e.getMessage());
      }
      failed = false;
    }

    private void close() throws Exception {
      if (scenario != null) {
        scenario.close();
      }
    }
  }
}
