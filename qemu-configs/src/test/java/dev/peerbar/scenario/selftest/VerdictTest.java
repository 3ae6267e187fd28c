package dev.peerbar.scenario.selftest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.scenario.SkippedException;
import dev.peerbar.scenario.UnexpectedException;
import org.junit.jupiter.api.Test;

class VerdictTest {
  private static final String TWO_PASS = "TAP version 13\n1..2\nok 1 a\nok 2 b\n";

  private static String verdict(int status, String output) throws Exception {
    return Verdict.of(status, output, Tap.read(output));
  }

  private static void fails(int status, String output, String seen) {
    assertThatThrownBy(() -> verdict(status, output))
        .isInstanceOf(UnexpectedException.class)
        .hasMessage(seen);
  }

  private static void isSkipped(int status, String output, String reason) {
    assertThatThrownBy(() -> verdict(status, output))
        .isInstanceOf(SkippedException.class)
        .hasMessage(reason);
  }

  @Test
  void allThatPassedIsCounted() throws Exception {
    assertThat(verdict(0, TWO_PASS)).isEqualTo("2 passed");
    assertThat(verdict(0, "1..3\nok 1 a\nok 2 b # SKIP no MSI\nok 3 c # SKIP\n"))
        .isEqualTo("1 passed, 2 skipped: b (no MSI), c ()");
  }

  @Test
  void aFailureIsOneWhateverTheStatusSays() {
    String output = "1..2\nok 1 a\n# x.c:3: Expected 1 == 2\nnot ok 2 b\n";
    String seen = "b failed\nx.c:3: Expected 1 == 2\nits exit status is ";
    fails(1, output, seen + 1);
    fails(0, output, seen + 0);
    fails(4, output, seen + 4);
  }

  @Test
  void aStatusIsBelievedWhateverTheTestsSay() {
    fails(1, TWO_PASS, "its exit status is 1");
    fails(139, TWO_PASS, "its exit status is 139");
  }

  @Test
  void whatEndsEarlyHasFailed() {
    fails(139, "1..3\nok 1 a\n# RUN b\n", "2 of 3 tests have no result\nits exit status is 139");
    fails(0, "1..3\nok 1 a\nok 2 b\n", "1 of 3 tests have no result\nits exit status is 0");
  }

  @Test
  void whatDoesNotRunHasFailed() {
    fails(127, "sh: not found\n", "its exit status is 127\nsh: not found");
  }

  @Test
  void whatTriesNothingIsSkippedForTheReasonThatItGives() {
    isSkipped(4, "TAP version 13\n1..0 # SKIP no VF\n", "no VF");
    isSkipped(4, "\nNo driver found\nmore\n", "No driver found");
    isSkipped(0, "1..1\nok 1 a # SKIP no BAR\n", "a (no BAR)");
    isSkipped(0, "", "it made no test");
  }
}
