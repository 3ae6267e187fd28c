package dev.peerbar.scenario.report;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.GroupEnd;
import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.Problem;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.ScenarioResult;
import dev.peerbar.scenario.Subtests;
import java.io.PrintWriter;
import java.util.List;
import java.util.regex.Pattern;

/**
 * KTAP version 1 (Linux, Documentation/dev-tools/ktap.rst), line by line as things happen: a
 * subtest for each setting, in it a point for each scenario, and one for the setting's guests.
 */
public final class KtapReport implements RunListener {
  private static final String VERSION = "KTAP version 1";
  private static final String NESTED = "  ";

  /** The last point of a setting: whether its guests booted, and were quiet in the end. */
  private static final String GUESTS = "guests";

  /** Of the text after a directive; all of it is in the diagnostics. */
  private static final int LONGEST_DIRECTIVE = 200;

  /**
   * What the kernel's own parser (tools/testing/kunit/kunit_parser.py) takes for the end of a
   * kernel's log wherever it stands, and goes no further.
   */
  private static final Pattern END_OF_LOG =
      Pattern.compile(
          "(List of all partitions|Kernel panic - not syncing: VFS|reboot(?=: System halted)):");

  private final PrintWriter out;
  private final Repeat repeat;
  private Account account;
  private int groups;
  private int points;
  private boolean held;

  /**
   * @param out where to
   * @param repeat how one scenario is repeated
   */
  public KtapReport(PrintWriter out, Repeat repeat) {
    this.out = out;
    this.repeat = repeat;
  }

  @Override
  public void planned(Plan plan, long seed) {
    account = new Account(plan, seed, repeat);
    say(VERSION);
    say("1.." + plan.groups().size());
    say("# seed " + seed);
  }

  @Override
  public void groupBegan(Plan.Group<?> group) {
    points = 0;
    held = true;
    say(NESTED + VERSION);
    // As KUnit names what is to follow.
    say(NESTED + "# Subtest: " + word(group.setting().name()));
    say(NESTED + "1.." + (group.scenarios().size() * account.plan().rounds() + 1));
  }

  @Override
  public void booted(BootResult boot) {
    String took = Account.seconds(boot.took(), 1);
    if (boot.failure().isPresent()) {
      diagnose(List.of("guest %d did not boot, %s s".formatted(boot.number(), took)));
    } else {
      String release =
          KernelRelease.in(boot.logs()).map(r -> " (Linux %s)".formatted(r)).orElse("");
      diagnose(List.of("guest %d%s is up after %s s".formatted(boot.number(), release, took)));
    }
    for (Lab.Complaint complaint : boot.complaints()) {
      diagnose(Account.bootComplaint(complaint.toString()));
    }
  }

  @Override
  public void scenarioEnded(ScenarioResult result) {
    String name = account.name(result.scenario(), result.round());
    subtests(name, result.subtests());
    switch (result.outcome()) {
      case Outcome.Passed(String saw) -> {
        diagnose(
            List.of("%s s, %s".formatted(Account.seconds(result.took(), 2), Printable.line(saw))));
        point(true, name, "");
      }
      case Outcome.Skipped(String reason) -> point(true, name, directive("SKIP", reason));
      case Outcome.Failed failed -> {
        diagnose(account.failure(result, Printable.MOST_LINES));
        point(false, name, directive(failed.problems().getFirst()));
      }
    }
  }

  /** What a program said of its tests, as it said it. */
  private void subtests(String name, Subtests subtests) {
    if (subtests.lines().isEmpty()) {
      return;
    }
    say(NESTED.repeat(2) + VERSION);
    say(NESTED.repeat(2) + "# Subtest: " + word(name));
    subtests.lines().forEach(line -> say(NESTED.repeat(2) + Printable.line(line)));
  }

  private static String directive(Problem problem) {
    return switch (problem.kind()) {
      case TIME_LIMIT -> directive("TIMEOUT", problem.text());
      case ERROR, NO_GUEST -> directive("ERROR", problem.text());
      case UNEXPECTED, LEFT_BEHIND, COMPLAINT -> "";
    };
  }

  private static String directive(String keyword, String text) {
    String line = Printable.line(text);
    String some =
        line.substring(
            0,
            line.offsetByCodePoints(
                0, Math.min(line.codePointCount(0, line.length()), LONGEST_DIRECTIVE)));
    // Another hash sign would begin another directive. TAP 14 has this escape, KTAP none.
    return " # %s %s"
        .formatted(keyword, some.replace("\\", "\\\\").replace("#", "\\#"))
        .stripTrailing();
  }

  @Override
  public void groupEnded(GroupEnd end) {
    end.problems().forEach(problem -> diagnose(Account.problem(problem)));
    diagnose(List.of(Account.count(end.boots(), "guest", "guests")));
    point(end.problems().isEmpty(), GUESTS, "");
    groups++;
    String outcome = held ? "ok" : "not ok";
    say("%s %d %s".formatted(outcome, groups, word(end.setting().name())));
  }

  private void point(boolean ok, String name, String directive) {
    held &= ok;
    points++;
    say("%s%s %d %s%s".formatted(NESTED, ok ? "ok" : "not ok", points, word(name), directive));
  }

  private void diagnose(List<String> lines) {
    lines.forEach(line -> say(NESTED + "# " + line));
  }

  /** A name without a character that would end it. */
  private static String word(String name) {
    return Printable.line(name).replace('#', '_');
  }

  private void say(String line) {
    out.println(END_OF_LOG.matcher(line).replaceAll("$1 :"));
    out.flush();
  }
}
