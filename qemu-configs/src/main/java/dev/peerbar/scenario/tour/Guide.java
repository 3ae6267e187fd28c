package dev.peerbar.scenario.tour;

import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.scenario.Environment;
import dev.peerbar.scenario.Fixture;
import dev.peerbar.scenario.Runner;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;

/** Performs tours, and tells what happens. */
public final class Guide {
  /** Of a step: one that a person watches, and may end before. */
  private static final Duration LIMIT = Duration.ofMinutes(10);

  /** A tour shows the same every time. */
  private static final long SEED = 1;

  private static final Duration SHELL = Duration.ofDays(365);

  private final LabFiles files;
  private final Path logs;
  private final PrintStream out;
  private boolean bootComplained;

  /**
   * @param logs a directory for those of all guests; each has one of its own below
   * @param out where each step is printed
   */
  public Guide(LabFiles files, Path logs, PrintStream out) {
    this.files = files;
    this.logs = logs;
    this.out = out;
  }

  /**
   * Performs all of a tour, whatever fails. Returns whether all held.
   *
   * @throws NoGuestException if there is no guest to go on with
   */
  public boolean perform(Tour<?> tour) throws IOException {
    Narration narration = new Narration(tour, out);
    try {
      new Runner(files, new Runner.Options(LIMIT, SEED, logs), narration).run(tour.plan());
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    bootComplained |= narration.bootComplained();
    return narration.held();
  }

  /** Whether there is a log to read of a boot that was not quiet, which is held against no step. */
  public boolean bootComplained() {
    return bootComplained;
  }

  /**
   * Gives a shell in a tour's guest, on this terminal, instead of its steps. Returns whether the
   * guest was turned off in the end.
   */
  public <E extends Environment> boolean shell(Tour<E> tour) throws IOException {
    try (Fixture<E> fixture =
        tour.kind().start(files, tour.setting(), m -> m.withTerminal().withShell(), logs)) {
      return fixture.lab().qemu().awaitEnd(SHELL);
    }
  }
}
