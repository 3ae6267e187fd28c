package dev.peerbar.scenario.report;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Makes text that may hold anything, such as a kernel's log, fit to be shown: of bounded size, and
 * without what a terminal, a parser of lines or XML does not take for text.
 */
final class Printable {
  /** Of a text; the logs have them all. */
  static final int MOST_LINES = 200;

  /** Of a line, in characters. */
  static final int LONGEST_LINE = 1000;

  private Printable() {}

  /** Its lines. What is left out is counted in its place. */
  static List<String> lines(String text) {
    List<String> lines = new ArrayList<>();
    Iterator<String> all = text.lines().iterator();
    while (all.hasNext() && lines.size() < MOST_LINES) {
      lines.add(escaped(all.next()));
    }
    long more = 0;
    for (; all.hasNext(); all.next()) {
      more++;
    }
    if (more > 0) {
      lines.add("(%d more lines)".formatted(more));
    }
    return lines;
  }

  /** All in one line. */
  static String line(String text) {
    return escaped(
        text.lines().limit(MOST_LINES).map(String::strip).collect(Collectors.joining("; ")));
  }

  private static String escaped(String line) {
    StringBuilder escaped = new StringBuilder();
    line.codePoints().limit(LONGEST_LINE).forEach(c -> append(escaped, c));
    int more = line.codePointCount(0, line.length()) - LONGEST_LINE;
    if (more > 0) {
      escaped.append(" (%d more characters)".formatted(more));
    }
    return escaped.toString();
  }

  private static void append(StringBuilder line, int character) {
    if (isText(character)) {
      line.appendCodePoint(character == '\t' ? ' ' : character);
    } else {
      line.append(
          character < 0x100 ? "\\x%02x".formatted(character) : "\\u%04x".formatted(character));
    }
  }

  private static boolean isText(int character) {
    return switch (Character.getType(character)) {
      case Character.CONTROL -> character == '\t';
      case Character.FORMAT,
          Character.SURROGATE,
          Character.UNASSIGNED,
          Character.PRIVATE_USE,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      default -> true;
    };
  }
}
