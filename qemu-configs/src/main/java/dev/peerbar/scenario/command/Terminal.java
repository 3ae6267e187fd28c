package dev.peerbar.scenario.command;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/** The terminal that this process may have, and whether what it prints is seen there. */
final class Terminal {
  private static final int DEFAULT_COLUMNS = 80;

  private Terminal() {}

  static boolean isStandardOutput() {
    return isTerminal(1);
  }

  static boolean isStandardError() {
    return isTerminal(2);
  }

  /** How wide the terminal is. */
  static int columns() {
    try {
      Process stty =
          new ProcessBuilder("stty", "size")
              .redirectInput(Path.of("/dev/tty").toFile())
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      try (BufferedReader said = stty.inputReader()) {
        // Rows and columns; a terminal that does not know says 0.
        String[] words = Objects.requireNonNullElse(said.readLine(), "").split(" ");
        int columns = words.length == 2 ? Integer.parseInt(words[1]) : 0;
        return columns > 0 ? columns : DEFAULT_COLUMNS;
      }
    } catch (IOException | NumberFormatException e) {
      return DEFAULT_COLUMNS;
    }
  }

  // The JDK's Console tells only whether standard input and output both are.
  private static boolean isTerminal(int descriptor) {
    try {
      String file = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)).toString();
      return file.startsWith("/dev/pts/")
          || file.startsWith("/dev/tty")
          || "/dev/console".equals(file);
    } catch (IOException e) {
      return false;
    }
  }
}
