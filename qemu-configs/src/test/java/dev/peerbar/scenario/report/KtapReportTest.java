package dev.peerbar.scenario.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Problem;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.ScenarioResult;
import dev.peerbar.scenario.Subtests;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class KtapReportTest {
  private static final Path LOGS = Path.of("/logs");

  private final StringWriter said = new StringWriter();
  private final KtapReport report = new KtapReport(new PrintWriter(said), MadeUpRun.REPEAT);

  private List<String> lines() {
    return said.toString().lines().toList();
  }

  @Test
  void aSettingIsASubtestWithAPointForItsGuests() {
    MadeUpRun run = new MadeUpRun(LOGS, 1);
    run.in("first")
        .with("a.passes", new Outcome.Passed("5 of 5"))
        .with("a.skipped", new Outcome.Skipped("there is no #5"))
        .with("a.fails", run.failed(Problem.Kind.UNEXPECTED, "4 of 5\nand no more"))
        .in("second")
        .with("a.passes", new Outcome.Passed("5 of 5"))
        .in("third")
        .with("a.skipped", new Outcome.Skipped("why not"))
        .tell(report);
    assertThat(said.toString())
        .isEqualTo(
            """
            KTAP version 1
            1..3
            # seed 7
              KTAP version 1
              # Subtest: first.one-switch.intel-iommu.amd-cpu
              1..4
              # guest 1 is up after 2.1 s
              # before any scenario, kernel.log: a bad # BIOS\\x00
              #   is here
              # 1.23 s, 5 of 5
              ok 1 a.passes
              ok 2 a.skipped # SKIP there is no \\#5
              # tried: do it
              # expected: it is done
              # saw: 4 of 5
              #   and no more
              # logs: /logs/guest-1
              # repeat: ./peerbar scenarios --only=a.fails --topology=one-switch --seed=7 '--kernel=/a kernel'
              not ok 3 a.fails
              # 1 guest
              ok 4 guests
            not ok 1 first.one-switch.intel-iommu.amd-cpu
              KTAP version 1
              # Subtest: second.one-switch.intel-iommu.amd-cpu
              1..2
              # guest 1 is up after 2.1 s
              # before any scenario, kernel.log: a bad # BIOS\\x00
              #   is here
              # 1.23 s, 5 of 5
              ok 1 a.passes
              # 1 guest
              ok 2 guests
            ok 2 second.one-switch.intel-iommu.amd-cpu
              KTAP version 1
              # Subtest: third.one-switch.intel-iommu.amd-cpu
              1..2
              # guest 1 is up after 2.1 s
              # before any scenario, kernel.log: a bad # BIOS\\x00
              #   is here
              ok 1 a.skipped # SKIP why not
              # 1 guest
              ok 2 guests
            ok 3 third.one-switch.intel-iommu.amd-cpu
            """);
  }

  @Test
  void whatAProgramSaysOfItsTestsStandsBeforeItsPoint() {
    new MadeUpRun(LOGS, 1)
        .in("first")
        .with("a.passes", new Outcome.Passed("1 passed"))
        .making(
            "a.passes",
            new Subtests(
                2,
                List.of(new Subtests.Point("one", Subtests.Outcome.PASSED, "")),
                List.of(
                    "1..2", "ok 1 one", "# Kernel panic - not syncing: VFS: no", "ok 2 # SKIP")))
        .tell(report);
    assertThat(said.toString())
        .contains(
            """
              #   is here
                KTAP version 1
                # Subtest: a.passes
                1..2
                ok 1 one
                # Kernel panic - not syncing: VFS : no
                ok 2 # SKIP
              # 1.23 s, 1 passed
              ok 1 a.passes
            """);
  }

  @Test
  void guestsThatAreNotWellFailTheirSetting() {
    new MadeUpRun(LOGS, 1)
        .in("first")
        .with("a.passes", new Outcome.Passed("5 of 5"))
        .withGuests(new Problem(Problem.Kind.COMPLAINT, "kernel.log: BUG"))
        .tell(report);
    assertThat(lines())
        .containsSubsequence(
            "  ok 1 a.passes",
            "  # complaint: kernel.log: BUG",
            "  not ok 2 guests",
            "not ok 1 first.one-switch.intel-iommu.amd-cpu");
  }

  @Test
  void aGuestThatDoesNotBootFailsItsScenarios() {
    MadeUpRun run = new MadeUpRun(LOGS, 1);
    Problem none = new Problem(Problem.Kind.NO_GUEST, "QEMU ended with status 1");
    run.in("first")
        .with("a.fails", run.failed(none.kind(), none.text()))
        .withGuests(none)
        .tell(report);
    assertThat(lines())
        .containsSubsequence(
            "  # guest 1 did not boot, 2.1 s",
            "  not ok 1 a.fails # ERROR QEMU ended with status 1",
            "  # no guest: QEMU ended with status 1",
            "  not ok 2 guests",
            "not ok 1 first.one-switch.intel-iommu.amd-cpu");
  }

  @Test
  void roundsHaveNamesOfTheirOwn() {
    MadeUpRun run = new MadeUpRun(LOGS, 2);
    run.in("first").with("a.fails", run.failed(Problem.Kind.TIME_LIMIT, "it had 1 s")).tell(report);
    assertThat(lines())
        .contains(
            "  1..3",
            "  not ok 1 a.fails (round 1) # TIMEOUT it had 1 s",
            "  not ok 2 a.fails (round 2) # TIMEOUT it had 1 s")
        .filteredOn(line -> line.contains("# repeat:"))
        .satisfiesExactly(
            first -> assertThat(first).contains(" --seed=7 "),
            second -> assertThat(second).contains(" --seed=8 "));
  }

  static List<String> hostileTexts() {
    return List.of(MadeUpRun.HOSTILE, MadeUpRun.HOSTILE.repeat(10_000), "", "#", "\n", "\\ # SKIP");
  }

  /** Whatever was seen, a line is what this report made it. */
  @ParameterizedTest(name = "{index}")
  @MethodSource("hostileTexts")
  void noTextIsTakenForAResult(String text) {
    List<String> points = new ArrayList<>();
    MadeUpRun run = MadeUpRun.ofEverything(LOGS, text);
    run.tell(report);
    run.tell(
        new RunListener() {
          @Override
          public void scenarioEnded(ScenarioResult result) {
            points.add(result.scenario().name());
          }
        });
    assertThat(said.toString()).doesNotContainPattern("[\\p{Cntrl}&&[^\n]]");
    assertThat(said.toString())
        .doesNotContain("syncing: VFS:", "reboot: System halted", "of all partitions:");
    assertThat(lines())
        .allMatch(line ->
            line.matches(
                "(  )?(KTAP version 1|1\\.\\.\\d+|# .*|ok \\d+ [^#]*( # SKIP ?([^#]|\\\\#)*)?"
                    + "|not ok \\d+ [^#]*( # (TIMEOUT|ERROR) ?([^#]|\\\\#)*)?)"));
    assertThat(lines()).filteredOn(line -> line.strip().startsWith("KTAP")).hasSize(4);
    assertThat(lines().stream().filter(line -> line.matches(" *# Subtest: .*"))).hasSize(3);
    assertThat(lines().stream().filter(line -> line.matches(" {2}(not )?ok .*")))
        .hasSize(points.size() + 3);
    assertThat(
            lines().stream()
                .filter(line -> line.contains(" # SKIP"))
                .filter(line -> !line.startsWith("  #")))
        .hasSize(2);
    assertThat(said.toString().length()).isLessThan(3_000_000);
  }
}
