package dev.peerbar.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupOutput;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.ioat.IoatHbm;
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
 * and says what it saw. All that is of a kind in one guest, where the same scenarios pass as soon
 * as the endpoints are whole again.
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
    LabFiles files = Setup.ofUser(SetupOutput.toStandardError()).run();
    Mutant.Breakable breakable = new Mutant.Breakable();
    tryAll(files, HbmPair.KIND, HbmPair.serving("mutable-pair", breakable::wrap), breakable);
    tryAll(
        files,
        IoatHbm.KIND,
        IoatHbm.serving("mutable-ioat", endpoint -> breakable.wrap(Mutant.IOAT, endpoint)),
        breakable);
  }

  /** All whose scenarios are of a kind, in a guest of another that differs in what is served. */
  private <E extends Environment> void tryAll(
      LabFiles files, FixtureKind<E> kind, FixtureKind<E> mutable, Mutant.Breakable breakable)
      throws Exception {
    Setting setting = mutable.settings(Topology.NAMES.getFirst()).getFirst();
    List<Mutant> mutants =
        Mutant.all().stream().filter(mutant -> scenario(mutant).fixture() == kind).toList();
    Path logs = LOGS.resolve(mutable.name());
    try (Fixture<E> fixture = mutable.start(files, setting, machine -> machine, logs);
        DeviceMessages messages = DeviceMessages.observe()) {
      BootedFixture<E> booted = new BootedFixture<>(mutable, fixture, logs);
      for (Mutant mutant : mutants) {
        mutant.mutate(breakable, fixture.servers());
        try {
          broken.put(mutant.what(), outcome(scenario(mutant), booted, messages));
        } finally {
          mutant.heal(breakable, fixture.servers());
        }
      }
      for (Scenario<?> scenario : mutants.stream().map(MutantsTest::scenario).distinct().toList()) {
        whole.put(scenario.description().name(), outcome(scenario, booted, messages));
      }
    }
  }

  private static Scenario<?> scenario(Mutant mutant) {
    return Suite.ALL.scenarios().stream()
        .filter(one -> one.description().name().equals(mutant.scenario()))
        .findFirst()
        .orElseThrow();
  }

  /** Of a scenario whose fixture is of the same kind. */
  @SuppressWarnings("unchecked")
  private static <E extends Environment> Outcome outcome(
      Scenario<?> scenario, BootedFixture<E> booted, DeviceMessages messages) {
    return new Trial<>((Scenario<E>) scenario, booted, new Run(1, SEED), LIMIT, messages).outcome();
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
