package dev.peerbar.scenario.selftest;

import dev.peerbar.scenario.Subtests;
import dev.peerbar.scenario.Subtests.Outcome;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads what a kselftest says of its tests: the Test Anything Protocol, version 13, as {@code
 * tools/testing/selftests/kselftest.h} writes it, between lines that the test itself prints.
 */
final class Tap {
  private static final Pattern VERSION = Pattern.compile("K?TAP version \\d+");
  private static final Pattern PLAN =
      Pattern.compile("1\\.\\.(?<count>\\d+)(\\s+# SKIP ?(?<reason>.*))?");
  private static final Pattern POINT =
      Pattern.compile(
          "(?<not>not )?ok (?<number>\\d+)( -)? ?(?<name>[^#]*?)"
              + "(\\s+# (?<directive>SKIP|XFAIL|XPASS|TODO|ERROR|TIMEOUT)\\b ?(?<reason>.*))?");

  /** What the harness says around every test. */
  private static final Pattern ROUTINE = Pattern.compile("#\\s+(RUN|OK)\\s.*");

  private final List<Subtests.Point> points = new ArrayList<>();
  private final List<String> lines = new ArrayList<>();

  /** Since the last test ended. */
  private final List<String> said = new ArrayList<>();

  private int plan = -1;
  private String skipped = "";

  private Tap() {}

  /**
   * What a program printed.
   *
   * @param subtests its tests; none if it made none
   * @param skipped why it made none, if it said so where a plan should be; or empty
   */
  record Report(Subtests subtests, String skipped) {}

  /** Reads all that a program printed on both of its outputs. */
  static Report read(String output) {
    Tap tap = new Tap();
    output.lines().forEach(tap::line);
    boolean none = tap.plan <= 0 && tap.points.isEmpty();
    return new Report(
        none ? Subtests.NONE : new Subtests(tap.plan, tap.points, tap.lines), tap.skipped);
  }

  private void line(String raw) {
    String line = raw.stripTrailing();
    Matcher planned = PLAN.matcher(line);
    Matcher point = POINT.matcher(line);
    if (VERSION.matcher(line).matches()) {
      return;
    }
    if (planned.matches() && plan < 0) {
      plan = Integer.parseInt(planned.group("count"));
      skipped = planned.group("reason") == null ? "" : planned.group("reason").strip();
      lines.add(line);
    } else if (point.matches()) {
      points.add(point(point));
      said.clear();
      lines.add(line);
    } else if (!line.isEmpty()) {
      // What a test prints by itself is no TAP, and whoever reads TAP may mind.
      String diagnostic = line.startsWith("#") ? line : "# " + line;
      lines.add(diagnostic);
      if (!ROUTINE.matcher(diagnostic).matches()) {
        said.add(diagnostic.substring(1).strip());
      }
    }
  }

  private Subtests.Point point(Matcher point) {
    String name = point.group("name").strip();
    String directive = point.group("directive");
    String reason = point.group("reason") == null ? "" : point.group("reason").strip();
    if (point.group("not") != null) {
      return new Subtests.Point(name, Outcome.FAILED, String.join("\n", said));
    }
    return "SKIP".equals(directive)
        ? new Subtests.Point(name, Outcome.SKIPPED, reason)
        : new Subtests.Point(name, Outcome.PASSED, "");
  }
}
