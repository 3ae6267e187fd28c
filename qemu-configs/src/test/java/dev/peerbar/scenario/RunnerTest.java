package dev.peerbar.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupOutput;
import dev.peerbar.scenario.suite.Suite;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The runner with a real guest. */
@Tag("guest")
class RunnerTest {
  private static final Path LOGS = Path.of("target", "lab-logs", "runner");

  @Test
  void aScenarioPasses() throws Exception {
    List<ScenarioResult> results = new ArrayList<>();
    RunListener listener =
        new RunListener() {
          @Override
          public void scenarioEnded(ScenarioResult result) {
            results.add(result);
          }
        };
    new Runner(
            Setup.ofUser(SetupOutput.toStandardError()).run(),
            new Runner.Options(Duration.ofSeconds(120), 1, LOGS),
            listener)
        .run(Plan.of(Suite.ALL.matching(List.of("bar.map")), List.of("one-switch"), 2));
    assertThat(results)
        .hasSize(2)
        .extracting(ScenarioResult::outcome)
        .allSatisfy(o -> assertThat(o).isInstanceOf(Outcome.Passed.class));
  }
}
