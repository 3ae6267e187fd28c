package dev.peerbar.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupOutput;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.DynamicTest;

/** The results of a plan, each a test. */
final class PlanTests implements RunListener {
  /** Of a scenario: several programs may take minutes each on a slow machine. */
  private static final Duration LIMIT = Duration.ofMinutes(10);

  private static final long SEED = 1;

  private final List<DynamicTest> tests = new ArrayList<>();

  private PlanTests() {}

  /**
   * Runs all of a plan; a test for each result, and for the end of each group.
   *
   * @param name of the log directory
   */
  static List<DynamicTest> of(Plan plan, String name) throws Exception {
    PlanTests tests = new PlanTests();
    new Runner(
            Setup.ofUser(SetupOutput.toStandardError()).run(),
            new Runner.Options(LIMIT, SEED, Path.of("target", "lab-logs", name)),
            tests)
        .run(plan);
    return tests.tests;
  }

  @Override
  public void booted(BootResult boot) {
    add(boot.setting(), "boot " + boot.number(), () -> assertThat(boot.failure()).isEmpty());
  }

  @Override
  public void scenarioEnded(ScenarioResult result) {
    add(
        result.setting(),
        "%s, %.2f s".formatted(result.scenario().name(), result.took().toMillis() / 1e3),
        () -> judge(result));
  }

  @Override
  public void groupEnded(GroupEnd end) {
    add(end.setting(), "end", () -> assertThat(end.problems()).isEmpty());
  }

  private void add(Setting setting, String name, Runnable judgement) {
    tests.add(DynamicTest.dynamicTest(setting + ": " + name, judgement::run));
  }

  private static void judge(ScenarioResult result) {
    switch (result.outcome()) {
      case Outcome.Passed passed -> assertThat(passed.saw()).isNotBlank();
      case Outcome.Skipped skipped -> abort(skipped.reason());
      case Outcome.Failed failed ->
          fail(
              "%s: expected %s; %s; the logs are in %s",
              result.scenario().does(),
              result.scenario().expects(),
              failed.problems().stream().map(Problem::toString).collect(Collectors.joining("\n")),
              failed.evidence().logs());
    }
  }
}
