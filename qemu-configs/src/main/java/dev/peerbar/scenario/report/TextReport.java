package dev.peerbar.scenario.report;

import static dev.peerbar.scenario.report.Account.count;
import static dev.peerbar.scenario.report.Account.seconds;

import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.GroupEnd;
import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.Problem;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.ScenarioResult;
import java.io.PrintWriter;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Tells people, a line a scenario as it ends, more of one that failed, and a summary. */
public final class TextReport implements RunListener {
  private static final String INDENT = "  ";

  /** Lines of each kind: a person who reads this wants to see the next scenario too. */
  private static final int MOST_EVIDENCE = 12;

  private static final String DETAIL = INDENT.repeat(3);

  private final PrintWriter out;
  private final Repeat repeat;
  private final Tally tally = new Tally();

  /** Failures to boot that have been told. */
  private final Set<String> told = new HashSet<>();

  private Account account;
  private int nameWidth;

  /**
   * @param out where to
   * @param repeat how one scenario is repeated
   */
  public TextReport(PrintWriter out, Repeat repeat) {
    this.out = out;
    this.repeat = repeat;
  }

  @Override
  public void planned(Plan plan, long seed) {
    account = new Account(plan, seed, repeat);
    tally.planned(plan, seed);
    say(
        "%s in %s, seed %d",
        count(plan.size(), "trial", "trials"),
        count(plan.groups().size(), "setting", "settings"),
        seed);
  }

  @Override
  public void groupBegan(Plan.Group<?> group) {
    nameWidth =
        group.scenarios().stream()
            .mapToInt(s -> account.name(s.description(), account.plan().rounds()).length())
            .max()
            .orElse(0);
    say("");
    say("%s", group.setting());
  }

  @Override
  public void booted(BootResult boot) {
    tally.booted(boot);
    if (boot.failure().isPresent()) {
      told.add(boot.failure().get());
      say(INDENT + "guest %d did not boot, %s s", boot.number(), seconds(boot.took(), 1));
      detail(Account.problem(new Problem(Problem.Kind.NO_GUEST, boot.failure().get())));
      detail(List.of("logs: " + boot.logs()));
    } else {
      say(
          INDENT + "guest %d%s is up after %s s",
          boot.number(),
          KernelRelease.in(boot.logs()).map(r -> " (Linux %s)".formatted(r)).orElse(""),
          seconds(boot.took(), 1));
    }
    boot.complaints().forEach(c -> detail(Account.bootComplaint(c.toString())));
  }

  @Override
  public void scenarioEnded(ScenarioResult result) {
    tally.scenarioEnded(result);
    switch (result.outcome()) {
      case Outcome.Passed(String saw) -> said("ok", result, Printable.line(saw));
      case Outcome.Skipped(String reason) -> said("SKIP", result, Printable.line(reason));
      case Outcome.Failed failed -> {
        said("FAILED", result, Account.problem(failed.problems().getFirst()).getFirst());
        detail(account.failure(result, MOST_EVIDENCE));
      }
    }
  }

  private void said(String outcome, ScenarioResult result, String text) {
    say(
        INDENT + "%-6s  %-" + nameWidth + "s  %7s s  %s",
        outcome,
        account.name(result.scenario(), result.round()),
        seconds(result.took(), 2),
        text);
  }

  @Override
  public void groupEnded(GroupEnd end) {
    tally.groupEnded(end);
    end.problems().stream()
        .filter(p -> p.kind() != Problem.Kind.NO_GUEST || !told.contains(p.text()))
        .forEach(problem -> {
          say(INDENT + "FAILED  its guests");
          detail(Account.problem(problem));
        });
  }

  @Override
  public void ended() {
    say("");
    tally
        .skips()
        .forEach((reason, times) ->
            say(
                "skipped %s, because %s: %s",
                count(times, "time", "times"),
                Printable.line(reason),
                String.join(", ", tally.skippedFor(reason))));
    tally
        .failed()
        .forEach(result ->
            say(
                "failed: %s in %s",
                account.name(result.scenario(), result.round()), result.setting()));
    tally.unwell().forEach(setting -> say("failed: the guests of %s", setting));
    String missing =
        tally.missing() == 0 ? "" : "; ended early, %d not tried".formatted(tally.missing());
    say(
        "%d passed, %d failed, %d skipped in %s s%s; %s, seed %d",
        tally.passed(),
        tally.failed().size(),
        tally.skipped(),
        seconds(tally.took(), 1),
        missing,
        count(tally.boots(), "guest", "guests"),
        account.seed());
  }

  private void detail(List<String> lines) {
    lines.forEach(line -> say("%s%s", DETAIL, line));
  }

  private void say(String format, Object... arguments) {
    out.println(format.formatted(arguments));
    out.flush();
  }
}
