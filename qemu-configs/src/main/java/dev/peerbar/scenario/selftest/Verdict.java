package dev.peerbar.scenario.selftest;

import dev.peerbar.scenario.SkippedException;
import dev.peerbar.scenario.Subtests;
import dev.peerbar.scenario.Subtests.Outcome;
import dev.peerbar.scenario.UnexpectedException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * What came of a program: by its exit status, the results of its tests and their number, none of
 * which is believed alone.
 */
final class Verdict {
  /** Exit statuses of kselftests (tools/testing/selftests/kselftest.h). */
  private static final int KSFT_PASS = 0;

  private static final int KSFT_SKIP = 4;

  private Verdict() {}

  /**
   * Judges a program that has ended.
   *
   * @param output all that it printed
   * @param report what that says of its tests
   * @return how many passed, and what was skipped
   * @throws SkippedException if nothing was tried
   * @throws UnexpectedException if something failed, or has no result
   */
  static String of(int status, String output, Tap.Report report)
      throws SkippedException, UnexpectedException {
    Subtests tests = report.subtests();
    List<String> wrong = new ArrayList<>();
    for (Subtests.Point point : tests.all(Outcome.FAILED)) {
      wrong.add("%s failed%n%s".formatted(point.name(), point.text()).strip());
    }
    int missing = tests.plan() - tests.points().size();
    if (missing > 0) {
      wrong.add("%d of %d tests have no result".formatted(missing, tests.plan()));
    }
    if (status != KSFT_PASS && status != KSFT_SKIP || !wrong.isEmpty()) {
      wrong.add("its exit status is %d".formatted(status));
      if (tests.points().isEmpty()) {
        wrong.add(output.strip());
      }
      throw new UnexpectedException(String.join("\n", wrong));
    }
    if (tests.count(Outcome.PASSED) == 0) {
      throw new SkippedException(reason(output, report));
    }
    return saw(tests);
  }

  private static String reason(String output, Tap.Report report) {
    if (!report.subtests().points().isEmpty()) {
      return reasons(report.subtests());
    }
    // Without a plan it has said why before it ended.
    return report.skipped().isEmpty()
        ? output.lines().filter(line -> !line.isBlank()).findFirst().orElse("it made no test")
        : report.skipped();
  }

  private static String saw(Subtests tests) {
    String passed = "%d passed".formatted(tests.count(Outcome.PASSED));
    int skipped = tests.count(Outcome.SKIPPED);
    return skipped == 0 ? passed : "%s, %d skipped: %s".formatted(passed, skipped, reasons(tests));
  }

  private static String reasons(Subtests tests) {
    return tests.all(Outcome.SKIPPED).stream()
        .map(point -> "%s (%s)".formatted(point.name(), point.text()))
        .collect(Collectors.joining(", "));
  }
}
