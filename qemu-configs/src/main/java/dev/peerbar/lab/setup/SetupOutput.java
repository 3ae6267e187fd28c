package dev.peerbar.lab.setup;

import java.io.PrintStream;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * What set-up says while it works: a line a task; for long tasks a bar on a terminal, elsewhere a
 * count now and then.
 */
public final class SetupOutput {
  private static final long SPARSE_PARTS = 10;

  private final PrintStream out;
  private final boolean terminal;

  /**
   * @param out where to, standard error for the program
   * @param terminal whether {@code out} shows a bar well
   */
  public SetupOutput(PrintStream out, boolean terminal) {
    this.out = out;
    this.terminal = terminal;
  }

  /** On standard error, with bars if it is likely to be a terminal. */
  public static SetupOutput toStandardError() {
    return new SetupOutput(System.err, System.console() != null && System.console().isTerminal());
  }

  void say(String text) {
    out.println("setup: " + text);
  }

  /**
   * A task with a known or guessed amount of work.
   *
   * @param unit what is counted
   * @param total how many, a guess is good enough
   */
  Progress progress(String text, String unit, long total) {
    say(text);
    return terminal ? new Bar(text, unit, total) : new Sparse(text, total);
  }

  /** The advance of a long task. */
  sealed interface Progress extends AutoCloseable {
    /** How much is done; never less than before. */
    void at(long done);

    @Override
    void close();
  }

  private final class Bar implements Progress {
    private final ProgressBar bar;

    Bar(String text, String unit, long total) {
      bar =
          new ProgressBarBuilder()
              .setTaskName("setup")
              .setInitialMax(total)
              .setUnit(" " + unit, 1)
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(250)
              .setConsumer(new me.tongfei.progressbar.ConsoleProgressBarConsumer(out))
              .build();
    }

    @Override
    public void at(long done) {
      // The total is a guess: never show more than all.
      bar.maxHint(Math.max(bar.getMax(), done));
      bar.stepTo(done);
    }

    @Override
    public void close() {
      bar.maxHint(bar.getCurrent());
      bar.close();
    }
  }

  private final class Sparse implements Progress {
    private final String text;
    private final long total;
    private long nextShown;

    Sparse(String text, long total) {
      this.text = text;
      this.total = total;
      nextShown = Math.max(1, total / SPARSE_PARTS);
    }

    @Override
    public void at(long done) {
      if (done >= nextShown && done < total) {
        say("%s: %d%%".formatted(text, 100 * done / total));
        nextShown = done + Math.max(1, total / SPARSE_PARTS);
      }
    }

    @Override
    public void close() {
      // The next task's line says that this one is over.
    }
  }
}
