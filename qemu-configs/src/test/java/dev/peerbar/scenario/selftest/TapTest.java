package dev.peerbar.scenario.selftest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.scenario.Subtests;
import dev.peerbar.scenario.Subtests.Outcome;
import dev.peerbar.scenario.Subtests.Point;
import org.junit.jupiter.api.Test;

/** As kselftest_harness.h and kselftest.h print it. */
class TapTest {
  private static Subtests tests(String output) {
    return Tap.read(output).subtests();
  }

  @Test
  void resultsAreReadBetweenWhatTestsPrint() {
    Subtests tests =
        tests(
            """
            Using cdev device /dev/vfio/devices/vfio0
            TAP version 13
            1..4
            # Starting 4 tests from 2 test cases.
            #  RUN           dev.reset ...
            #            OK  dev.reset
            ok 1 dev.reset
            #  RUN           dev.msi.trigger ...
            #      SKIP      MSI: not supported
            #
            #            OK  dev.msi.trigger
            ok 2 dev.msi.trigger # SKIP MSI: not supported
            #  RUN           dev.bars ...
            BAR 0 does not support mmap()
            # dev_test.c:99:bars:Expected 1 (1) == x (0)
            # bars: Test terminated by assertion
            #          FAIL  dev.bars
            not ok 3 dev.bars
            ok 4 dev.last
            # FAILED: 3 / 4 tests passed.
            # Totals: pass:2 fail:1 xfail:0 xpass:0 skip:1 error:0
            """);
    assertThat(tests.plan()).isEqualTo(4);
    assertThat(tests.points())
        .containsExactly(
            new Point("dev.reset", Outcome.PASSED, ""),
            new Point("dev.msi.trigger", Outcome.SKIPPED, "MSI: not supported"),
            new Point(
                "dev.bars",
                Outcome.FAILED,
                """
                BAR 0 does not support mmap()
                dev_test.c:99:bars:Expected 1 (1) == x (0)
                bars: Test terminated by assertion
                FAIL  dev.bars\
                """),
            new Point("dev.last", Outcome.PASSED, ""));
  }

  @Test
  void allButTheVersionIsKeptAndNothingIsTakenForAResult() {
    assertThat(
            tests(
                    """
                    TAP version 13
                    1..1
                    Mapped 0x1000

                        ok 1 of another's
                    okay
                    ok 1 t
                    """)
                .lines())
        .containsExactly("1..1", "# Mapped 0x1000", "#     ok 1 of another's", "# okay", "ok 1 t");
  }

  @Test
  void aSkipOfTheWholeProgramHasAReason() {
    Tap.Report report = Tap.read("TAP version 13\n1..0 # SKIP SR-IOV may not be supported\n");
    assertThat(report.skipped()).isEqualTo("SR-IOV may not be supported");
    assertThat(report.subtests()).isEqualTo(Subtests.NONE);
  }

  @Test
  void aProgramThatIsNotThereHasMadeNoTest() {
    Tap.Report report = Tap.read("sh: exec: line 0: /selftests/none: not found\n");
    assertThat(report.skipped()).isEmpty();
    assertThat(report.subtests()).isEqualTo(Subtests.NONE);
  }

  @Test
  void anExpectedFailureIsNone() {
    assertThat(tests("ok 1 a # XFAIL known\nok 2 - b # TODO\nnot ok 3 c # TIMEOUT 30 s\n").points())
        .extracting(Point::name, Point::outcome)
        .containsExactly(
            org.assertj.core.groups.Tuple.tuple("a", Outcome.PASSED),
            org.assertj.core.groups.Tuple.tuple("b", Outcome.PASSED),
            org.assertj.core.groups.Tuple.tuple("c", Outcome.FAILED));
  }
}
