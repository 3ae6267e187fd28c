package dev.peerbar.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupOutput;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.mutant.Mutant;
import dev.peerbar.scenario.suite.Suite;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Endpoints that are broken on purpose, one way at a time: the scenario that has to notice fails,
 * and says what it saw. All of it in one guest, where the same scenarios pass as soon as the
 * endpoints are whole again.
 */
@Tag("guest")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class MutantsTest {
  private static final Duration LIMIT = Duration.ofMinutes(5);
  private static final long SEED = 1;
  private static final Path LOGS = Path.of("target", "lab-logs", "mutants");

  private final Map<String, Outcome> broken = new LinkedHashMap<>();
  private final Map<String, Outcome> whole = new LinkedHashMap<>();

  static List<Mutant> mutants() {
    return Mutant.all();
  }

  static Stream<String> scenarios() {
    return Mutant.all().stream().map(Mutant::scenario).distinct();
  }

  @BeforeAll
  void tryAll() throws Exception {
    Mutant.Pair mutable = new Mutant.Pair();
    FixtureKind<HbmPair> kind = HbmPair.serving("mutable-pair", mutable::wrap);
    Setting setting = kind.settings(Topology.NAMES.getFirst()).getFirst();
    try (Fixture<HbmPair> fixture =
            kind.start(
                Setup.ofUser(SetupOutput.toStandardError()).run(),
                setting,
                machine -> machine,
                LOGS);
        DeviceMessages messages = DeviceMessages.observe()) {
      BootedFixture<HbmPair> booted = new BootedFixture<>(kind, fixture, LOGS);
      for (Mutant mutant : Mutant.all()) {
        mutant.mutate(mutable, fixture.servers());
        try {
          broken.put(mutant.what(), outcome(mutant.scenario(), booted, messages));
        } finally {
          mutant.heal(mutable, fixture.servers());
        }
      }
      for (String scenario : scenarios().toList()) {
        whole.put(scenario, outcome(scenario, booted, messages));
      }
    }
  }

  // The scenarios that mutants name are a pair's.
  @SuppressWarnings("unchecked")
  private static Outcome outcome(
      String name, BootedFixture<HbmPair> booted, DeviceMessages messages) {
    Scenario<?> found =
        Suite.ALL.scenarios().stream()
            .filter(one -> one.description().name().equals(name))
            .findFirst()
            .orElseThrow();
    assertThat(found.fixture()).isSameAs(HbmPair.KIND);
    return new Trial<>((Scenario<HbmPair>) found, booted, new Run(1, SEED), LIMIT, messages)
        .outcome();
  }

  @ParameterizedTest
  @MethodSource("mutants")
  void aScenarioNotices(Mutant mutant) {
    assertThat(broken.get(mutant.what()))
        .isInstanceOfSatisfying(
            Outcome.Failed.class,
            failed ->
                assertThat(failed.problems().getFirst())
                    .satisfies(problem -> assertThat(problem.kind()).isEqualTo(mutant.kind()))
                    .satisfies(problem -> assertThat(problem.text()).contains(mutant.sees())));
  }

  @ParameterizedTest
  @MethodSource("scenarios")
  void wholeEndpointsPass(String scenario) {
    assertThat(whole.get(scenario)).isInstanceOf(Outcome.Passed.class);
  }
}
