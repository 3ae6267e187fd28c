package dev.peerbar.scenario.command;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.report.Tally;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/** Removes the logs of a run in which nothing failed, and says where others are. */
final class KeptLogs implements RunListener {
  private final Path directory;
  private final Tally tally;
  private final PrintWriter errors;

  /**
   * @param tally of the run, told of it before this
   */
  KeptLogs(Path directory, Tally tally, PrintWriter errors) {
    this.directory = directory;
    this.tally = tally;
    this.errors = errors;
  }

  @Override
  public void ended() {
    if (!tally.held() || !tally.complete()) {
      errors.println("peerbar: the logs are in " + directory);
      return;
    }
    try {
      Lab.delete(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
