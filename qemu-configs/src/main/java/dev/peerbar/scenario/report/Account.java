package dev.peerbar.scenario.report;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.Problem;
import dev.peerbar.scenario.ScenarioResult;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What every report says in the same words.
 *
 * @param plan of the run
 * @param seed of the run
 * @param repeat how one scenario is repeated
 */
record Account(Plan plan, long seed, Repeat repeat) {
  private static final String MARGIN = "  ";

  /** No path leads below it. */
  private static final Path NOWHERE = Path.of("");

  /** A scenario's name; if it runs more than once, with the round. */
  String name(Description scenario, int round) {
    return name(scenario.name(), round, plan.rounds());
  }

  /**
   * A name; if what it names is tried more than once, with the round.
   *
   * @param rounds how often it is tried
   */
  static String name(String name, int round, int rounds) {
    return rounds == 1 ? name : "%s (round %d)".formatted(name, round);
  }

  /**
   * The last part of a scenario's name; if it runs more than once, with the round.
   *
   * @param rounds how often it runs
   */
  static String nameInFamily(String scenario, int round, int rounds) {
    return name(scenario.substring(scenario.lastIndexOf('.') + 1), round, rounds);
  }

  /**
   * A scenario's result as reports have it.
   *
   * @param directory from which paths in it are relative, if they lead below
   */
  Results.Result result(ScenarioResult result, Path directory) {
    return Recorded.result(result, directory, repeat.commandLine(result, seed));
  }

  /** All that there is to say of a failure, in printable lines, with absolute paths. */
  List<String> failure(ScenarioResult result, int most) {
    return failure(result(result, NOWHERE), most);
  }

  /**
   * All that there is to say of a failure, in printable lines.
   *
   * @param most of the evidence of a kind, the last lines
   */
  static List<String> failure(Results.Result result, int most) {
    List<String> lines = new ArrayList<>();
    lines.add("tried: " + Printable.line(result.does()));
    lines.add("expected: " + Printable.line(result.expects()));
    result.problems().forEach(problem -> lines.addAll(problem(problem)));
    Results.Evidence evidence = result.evidence();
    add(lines, "the agent's last calls:", evidence.calls(), most);
    add(lines, "where calls hung in the guest's kernel:", evidence.hung(), Printable.MOST_LINES);
    add(lines, "what the endpoints saw and did last:", evidence.messages(), most);
    lines.add("logs: " + Printable.line(result.logs()));
    lines.add("repeat: " + result.repeat());
    return lines;
  }

  private static void add(List<String> lines, String title, List<String> text, int most) {
    if (!text.isEmpty()) {
      lines.add(title);
      int earlier = Math.max(0, text.size() - most);
      if (earlier > 0) {
        lines.add(MARGIN + "(%d earlier)".formatted(earlier));
      }
      String last = String.join("\n", text.subList(earlier, text.size()));
      Printable.lines(last).forEach(line -> lines.add(MARGIN + line));
    }
  }

  /** A problem in printable lines, of which the first begins with what kind it is. */
  static List<String> problem(Problem problem) {
    return problem(Recorded.problem(problem));
  }

  /** A problem in printable lines, of which the first begins with what kind it is. */
  static List<String> problem(Results.Problem problem) {
    return indented(problem.words() + ": ", problem.text());
  }

  /** What was in a guest's logs when it was up, in printable lines. */
  static List<String> bootComplaint(String complaint) {
    return indented("before any scenario, ", complaint);
  }

  /** Text in lines that show where it begins. */
  private static List<String> indented(String title, String text) {
    List<String> printable = Printable.lines(text);
    List<String> lines = new ArrayList<>();
    lines.add(title + (printable.isEmpty() ? "" : printable.getFirst()));
    printable.stream().skip(1).forEach(line -> lines.add(MARGIN + line));
    return lines;
  }

  /** A time in seconds. */
  static String seconds(Duration time, int decimals) {
    return String.format(Locale.ROOT, "%." + decimals + "f", time.toNanos() / 1e9);
  }

  /** A number of things. */
  static String count(int number, String one, String many) {
    return number + " " + (number == 1 ? one : many);
  }
}
