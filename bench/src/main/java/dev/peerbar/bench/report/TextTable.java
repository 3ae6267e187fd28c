package dev.peerbar.bench.report;

import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Ratio;
import java.io.PrintWriter;
import java.util.Locale;

/** The table on standard output: a line a figure, as soon as it is there. */
public final class TextTable {
  private static final String ROW = "  %-46s %-5s %10s %10s %-7s %7s  %-16s %-10s %s";

  private final PrintWriter out;

  public TextTable(PrintWriter out) {
    this.out = out;
  }

  /** Begins a benchmark. */
  public void begin(String name, String about) {
    line("%n%s: %s".formatted(name, about));
    line(
        String.format(
            Locale.ROOT, ROW, "", "", "floor", "peerbar", "", "ratio", "quartiles", "aim", ""));
  }

  /** Adds a figure. */
  public void add(Figure figure) {
    line(
        String.format(
            Locale.ROOT,
            ROW,
            figure.path(),
            figure.figure(),
            figure.floor().isPresent() ? Numbers.of(figure.floor().getAsDouble()) : "",
            Numbers.of(figure.value()),
            figure.unit(),
            figure.ratio().map(ratio -> Numbers.ratio(ratio.median())).orElse(""),
            figure.ratio().map(TextTable::quartiles).orElse(""),
            figure.aim().map(Object::toString).orElse(""),
            figure.aim().map(_ -> figure.met() ? "met" : "MISSED").orElse("")));
  }

  private static String quartiles(Ratio ratio) {
    return Numbers.ratio(ratio.low()) + " to " + Numbers.ratio(ratio.high());
  }

  /** Says why the benchmark goes no further. */
  public void fail(String sentence) {
    line("  not measured: " + sentence);
  }

  private void line(String text) {
    out.println(text.stripTrailing());
    out.flush();
  }
}
