package dev.peerbar.scenario.command;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.Scenario;
import java.io.PrintWriter;
import java.util.List;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Help.Column;
import picocli.CommandLine.Help.Column.Overflow;
import picocli.CommandLine.Help.TextTable;

/** Names and sentences of scenarios, one below the other. */
final class ScenarioList {
  private static final int GAP = 2;

  /** Of the sentences, however narrow the terminal. */
  private static final int LEAST_WIDTH = 24;

  private ScenarioList() {}

  /** Prints it, as wide as the terminal is, if it goes to one. */
  static void print(List<Scenario<?>> scenarios, PrintWriter out) {
    out.print(
        Terminal.isStandardOutput() ? wrapped(scenarios, Terminal.columns()) : lines(scenarios));
    out.flush();
  }

  /** A line each, for people and scripts. */
  static String lines(List<Scenario<?>> scenarios) {
    int names = nameWidth(scenarios);
    StringBuilder lines = new StringBuilder();
    for (Scenario<?> scenario : scenarios) {
      Description description = scenario.description();
      lines.append(
          ("%-" + (names + GAP) + "s%s%n").formatted(description.name(), description.sentence()));
    }
    return lines.toString();
  }

  /**
   * With sentences that go on below themselves, where a line ends.
   *
   * @param width of a line, in characters
   */
  static String wrapped(List<Scenario<?>> scenarios, int width) {
    int names = nameWidth(scenarios);
    TextTable table =
        TextTable.forColumns(
            picocli.CommandLine.Help.defaultColorScheme(Ansi.OFF),
            new Column(names + GAP, 0, Overflow.TRUNCATE),
            new Column(Math.max(LEAST_WIDTH, width - names - GAP), 0, Overflow.WRAP));
    table.indentWrappedLines = 0;
    for (Scenario<?> scenario : scenarios) {
      table.addRowValues(scenario.description().name(), scenario.description().sentence());
    }
    return table.toString();
  }

  private static int nameWidth(List<Scenario<?>> scenarios) {
    return scenarios.stream().mapToInt(s -> s.description().name().length()).max().orElse(0);
  }
}
