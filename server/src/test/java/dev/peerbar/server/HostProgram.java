package dev.peerbar.server;

import java.io.IOException;
import java.util.concurrent.TimeUnit;

/** Programs of this machine that tests prepare it with: mounts, for one. */
final class HostProgram {
  private static final long LIMIT_SECONDS = 60;

  private HostProgram() {}

  /** Runs a program. Returns false if there is none, or it fails. */
  static boolean run(String... command) throws InterruptedException {
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      return process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS) && process.exitValue() == 0;
    } catch (IOException _) {
      return false;
    }
  }
}
