package dev.peerbar.lab.qemu;

import java.util.List;
import java.util.Map;

/** A command line as a person can paste it into a shell. */
public final class ShellWords {
  private static final String PLAIN = "[A-Za-z0-9_@%+=:,./-]+";

  private ShellWords() {}

  public static String quote(String word) {
    return word.matches(PLAIN) ? word : "'" + word.replace("'", "'\\''") + "'";
  }

  /** The environment and the words, an option with its value a line. */
  public static String commandLine(Map<String, String> environment, List<String> words) {
    StringBuilder line = new StringBuilder();
    environment.entrySet().stream()
        .sorted(Map.Entry.comparingByKey())
        .forEach(e -> line.append(e.getKey()).append('=').append(quote(e.getValue())).append(' '));
    for (int i = 0; i < words.size(); i++) {
      if (i > 0) {
        line.append(words.get(i).startsWith("-") ? " \\\n  " : " ");
      }
      line.append(quote(words.get(i)));
    }
    return line.toString();
  }
}
