package dev.peerbar.scenario.tour;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.lab.boot.Lab.Complaint;
import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.Evidence;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GroupEnd;
import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Problem;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.ScenarioResult;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.HbmPair;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What a tour prints, whatever comes of its steps. */
class NarrationTest {
  private static final Setting SETTING = HbmPair.KIND.settings("one-switch").getFirst();
  private static final Path LOGS = Path.of("/logs");
  private static final Outcome HELD = new Outcome.Passed("this");
  private static final Outcome SKIPPED = new Outcome.Skipped("there is no such thing");

  private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
  private final List<Case> cases = List.of(new Case("one"), new Case("two"));
  private final Narration narration =
      new Narration(
          new Tour<>(
              "cases in one guest",
              HbmPair.KIND,
              SETTING,
              List.of(
                  Tour.Stop.of("a", cases.get(0)),
                  new Tour.Stop<>("b1", "the same again", "the same", cases.get(1)))),
          new PrintStream(printed, true, StandardCharsets.UTF_8));

  private record Case(String name) implements Scenario<HbmPair> {
    @Override
    public Description description() {
      return Description.of("test." + name, "try " + name, name + " is seen");
    }

    @Override
    public FixtureKind<HbmPair> fixture() {
      return HbmPair.KIND;
    }

    @Override
    public String run(HbmPair pair) {
      throw new AssertionError("only told of");
    }
  }

  private static Outcome failed(Problem... problems) {
    return new Outcome.Failed(
        List.of(problems), new Evidence(List.of(), List.of(), List.of(), LOGS));
  }

  private static BootResult boot(int number, Complaint... complaints) {
    return new BootResult(
        SETTING,
        number,
        Duration.ofMillis(2340),
        List.of(complaints),
        Optional.empty(),
        Optional.empty(),
        false,
        LOGS,
        List.of());
  }

  private void ended(Case scenario, Outcome outcome) {
    narration.scenarioBegan(SETTING, scenario.description(), 1);
    narration.scenarioEnded(
        new ScenarioResult(
            SETTING, scenario.description(), 1, 7, outcome, Duration.ofMillis(1230)));
  }

  private void end(Problem... problems) {
    narration.groupEnded(new GroupEnd(SETTING, 1, List.of(problems)));
  }

  /** Times of the end are the clock's. */
  private List<String> lines() {
    return printed
        .toString(StandardCharsets.UTF_8)
        .replaceAll("(ok|FAILED)( +)0\\.\\d\\d s", "$1$20.00 s")
        .replaceAll(" in \\d+\\.\\d s", " in 0.0 s")
        .lines()
        .toList();
  }

  @Test
  void aTourThatHolds() {
    narration.booted(boot(1));
    ended(cases.get(0), HELD);
    ended(cases.get(1), HELD);
    end();
    assertThat(lines())
        .containsExactly(
            "cases in one guest: the guest is up after 2.3 s",
            "a  try one",
            "   expected  one is seen",
            "   saw       this",
            "   ok        1.23 s",
            "b1 the same again",
            "   expected  the same",
            "   saw       this",
            "   ok        1.23 s",
            "z  turn the guest off",
            "   expected  no error, WARN or BUG in the guest's kernel log or from QEMU",
            "   saw       both quiet",
            "   ok        0.00 s",
            "every step held in 0.0 s");
    assertThat(narration.held()).isTrue();
    assertThat(narration.bootComplained()).isFalse();
  }

  @Test
  void aStepThatFails() {
    narration.booted(boot(1));
    ended(
        cases.get(0),
        failed(
            new Problem(Problem.Kind.UNEXPECTED, "that"),
            new Problem(Problem.Kind.LEFT_BEHIND, "4 KiB mapped for the functions")));
    narration.booted(boot(2));
    ended(cases.get(1), HELD);
    end();
    assertThat(lines())
        .contains(
            "   saw       that",
            "             left behind: 4 KiB mapped for the functions",
            "   FAILED    1.23 s",
            "cases in one guest: another guest is up after 2.3 s",
            "b1 the same again",
            "   saw       both quiet",
            "a step failed in 0.0 s");
    assertThat(narration.held()).isFalse();
  }

  @Test
  void noGuestToTurnOff() {
    narration.booted(boot(1));
    ended(cases.get(0), HELD);
    ended(cases.get(1), failed(new Problem(Problem.Kind.ERROR, "no")));
    end();
    assertThat(lines())
        .contains("   saw       could not be done: no", "a step failed in 0.0 s")
        .noneMatch(line -> line.startsWith("z"));
    assertThat(narration.held()).isFalse();
  }

  @Test
  void aGuestThatComplainsAtItsEnd() {
    narration.booted(boot(1));
    ended(cases.get(0), HELD);
    ended(cases.get(1), HELD);
    end(new Problem(Problem.Kind.COMPLAINT, "kernel.log: BUG"));
    assertThat(lines())
        .endsWith(
            "   saw       complaint: kernel.log: BUG",
            "   FAILED    0.00 s",
            "a step failed in 0.0 s");
    assertThat(narration.held()).isFalse();
  }

  @Test
  void aStepThatCannotBeTried() {
    narration.booted(boot(1));
    ended(cases.get(0), SKIPPED);
    ended(cases.get(1), HELD);
    end();
    assertThat(lines())
        .contains(
            "   saw       nothing: there is no such thing",
            "   skipped   1.23 s",
            "every step but 1 skipped held in 0.0 s");
    assertThat(narration.held()).isTrue();
  }

  @Test
  void aBootThatWasNotQuiet() {
    narration.booted(boot(1, new Complaint("kernel.log", "WARNING: odd")));
    ended(cases.get(0), HELD);
    ended(cases.get(1), HELD);
    end();
    assertThat(lines())
        .contains(
            "its boot was not quiet, which no step answers for (/logs):",
            "             kernel.log: WARNING: odd",
            "every step held in 0.0 s");
    assertThat(narration.bootComplained()).isTrue();
  }

  @Test
  void noGuestAtAll() {
    BootResult boot =
        new BootResult(
            SETTING,
            1,
            Duration.ZERO,
            List.of(),
            Optional.empty(),
            Optional.of("QEMU ended"),
            true,
            LOGS,
            List.of());
    assertThatThrownBy(() -> narration.booted(boot))
        .isInstanceOf(UncheckedIOException.class)
        .cause()
        .isInstanceOf(NoGuestException.class)
        .hasMessage("QEMU ended");
    assertThat(printed.size()).isZero();
  }
}
