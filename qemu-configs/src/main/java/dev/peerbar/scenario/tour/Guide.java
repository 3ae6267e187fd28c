package dev.peerbar.scenario.tour;

import dev.peerbar.lab.boot.KernelLacksException;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.kernel.KernelOptions;
import dev.peerbar.scenario.Environment;
import dev.peerbar.scenario.Fixture;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.Runner;
import dev.peerbar.scenario.report.Reports;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

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
  private final RunListener beside;
  private boolean stepFailed;
  private boolean logsMatter;

  /**
   * @param logs a directory for those of all guests; each has one of its own below
   * @param out where each step is printed
   * @param beside is told what happens, too, before it is printed
   */
  public Guide(LabFiles files, Path logs, PrintStream out, RunListener beside) {
    this.files = files;
    this.logs = logs;
    this.out = out;
    this.beside = beside;
  }

  /**
   * Performs all of a tour, whatever fails. Returns whether all held.
   *
   * @throws KernelLacksException before the first step, if the kernel lacks what a step needs
   * @throws NoGuestException if there is no guest to go on with
   */
  public boolean perform(Tour<?> tour) throws IOException {
    KernelLacksException.unlessThere(KernelOptions.of(files), tour.kernelNeeds());
    Narration narration = new Narration(tour, out);
    // Until it is known that they do not.
    boolean mattered = logsMatter;
    logsMatter = true;
    try (Reports reports = new Reports(List.of(beside, narration))) {
      new Runner(files, new Runner.Options(LIMIT, SEED, logs), reports).run(tour.plan());
    } catch (UncheckedIOException e) {
      if (e.getCause() instanceof KernelLacksException) {
        logsMatter = mattered;
      }
      throw e.getCause();
    }
    stepFailed |= !narration.held();
    logsMatter = mattered || narration.bootComplained() || !narration.held();
    return narration.held();
  }

  /** Whether a step has failed. */
  public boolean stepFailed() {
    return stepFailed;
  }

  /** Whether there is something in the logs that somebody will want to read. */
  public boolean logsMatter() {
    return logsMatter;
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
