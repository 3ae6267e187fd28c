package dev.peerbar.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupException;
import dev.peerbar.lab.setup.SetupOutput;
import dev.peerbar.scenario.suite.Suite;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;

/** Scenarios of the suite, each a test: those of a setting share a guest. */
public final class ScenarioTests {
  /** Of one scenario, on a slow machine with others at work. */
  private static final Duration LIMIT = Duration.ofMinutes(5);

  private static final long SEED = 1;

  private ScenarioTests() {}

  /** All scenarios of a kind of fixture, in every setting that it has on any topology. */
  public static Stream<DynamicNode> of(FixtureKind<?> kind) {
    List<Scenario<?>> some =
        Suite.ALL.scenarios().stream().filter(s -> s.fixture() == kind).toList();
    return Plan.of(some, Topology.NAMES, 1).groups().stream()
        .map(group ->
            DynamicContainer.dynamicContainer(
                group.setting().name(),
                // Lazily: a guest is booted when its turn has come.
                Stream.of(group).flatMap(ScenarioTests::tests)));
  }

  private static Stream<DynamicTest> tests(Plan.Group<?> group) {
    List<DynamicTest> tests = new ArrayList<>();
    RunListener listener =
        new RunListener() {
          @Override
          public void scenarioEnded(ScenarioResult result) {
            String name = result.scenario().name();
            tests.add(DynamicTest.dynamicTest(name, () -> assertPassed(result.outcome())));
          }

          @Override
          public void groupEnded(GroupEnd end) {
            tests.add(DynamicTest.dynamicTest("end", () -> assertThat(end.problems()).isEmpty()));
          }
        };
    try {
      new Runner(
              Setup.ofUser(SetupOutput.toStandardError()).run(),
              new Runner.Options(LIMIT, SEED, Path.of("target", "lab-logs")),
              listener)
          .run(new Plan(List.of(group), 1));
    } catch (IOException | SetupException e) {
      throw new AssertionError("the scenarios could not be run", e);
    }
    return tests.stream();
  }

  private static void assertPassed(Outcome outcome) {
    assertThat(outcome).isInstanceOf(Outcome.Passed.class);
  }
}
