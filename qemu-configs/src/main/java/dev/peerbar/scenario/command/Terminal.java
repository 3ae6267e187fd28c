package dev.peerbar.scenario.command;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Whether what this process prints is seen on a terminal. */
final class Terminal {
  private Terminal() {}

  static boolean isStandardOutput() {
    return isTerminal(1);
  }

  static boolean isStandardError() {
    return isTerminal(2);
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
