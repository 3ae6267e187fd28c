package dev.peerbar.scenario.report;

import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.GroupEnd;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.ScenarioResult;
import dev.peerbar.scenario.Setting;
import java.io.PrintStream;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * A line on a terminal that says how far a run is. It makes room for another report, whose lines
 * may come to the same terminal.
 */
public final class ProgressLine implements RunListener {
  private static final int REFRESH_MILLIS = 250;

  private final RunListener report;
  private final Line line;
  private ProgressBar bar;

  /** The line itself, which a thread of the library's shows anew. */
  private static final class Line extends ConsoleProgressBarConsumer {
    private static final String ERASE = "\r\u001b[K";

    private final PrintStream terminal;
    private boolean hidden;

    Line(PrintStream terminal, int columns) {
      // The library would find the width by a terminal of JLine's, which takes SIGINT from the JVM:
      // Ctrl-C would end it at once, without its reports.
      super(terminal, columns - 1);
      this.terminal = terminal;
    }

    @Override
    public synchronized void accept(String text) {
      if (!hidden) {
        super.accept(text);
      }
    }

    /** Has something else printed where it was. */
    synchronized void insteadOf(Runnable printing) {
      erase();
      printing.run();
    }

    private void erase() {
      terminal.print(ERASE);
      terminal.flush();
    }

    @Override
    public synchronized void close() {
      hidden = true;
      erase();
    }
  }

  /**
   * @param report which prints, and is told all
   * @param terminal where the line is shown
   * @param columns of the terminal
   */
  public ProgressLine(RunListener report, PrintStream terminal, int columns) {
    this.report = report;
    line = new Line(terminal, columns);
  }

  @Override
  public void planned(Plan plan, long seed) {
    report.planned(plan, seed);
    bar =
        new ProgressBarBuilder()
            .setTaskName("scenarios")
            .setInitialMax(plan.size())
            .setStyle(ProgressBarStyle.ASCII)
            .setUpdateIntervalMillis(REFRESH_MILLIS)
            // Also while one scenario runs: whatever is printed meanwhile takes the line away.
            .continuousUpdate()
            .setConsumer(line)
            .build();
  }

  @Override
  public void groupBegan(Plan.Group<?> group) {
    line.insteadOf(() -> report.groupBegan(group));
    bar.setExtraMessage(" booting");
  }

  @Override
  public void booted(BootResult boot) {
    line.insteadOf(() -> report.booted(boot));
  }

  @Override
  public void scenarioBegan(Setting setting, Description scenario, int round) {
    line.insteadOf(() -> report.scenarioBegan(setting, scenario, round));
    bar.setExtraMessage(" " + scenario.name());
  }

  @Override
  public void scenarioEnded(ScenarioResult result) {
    line.insteadOf(() -> report.scenarioEnded(result));
    bar.step();
    bar.setExtraMessage("");
  }

  @Override
  public void groupEnded(GroupEnd end) {
    line.insteadOf(() -> report.groupEnded(end));
  }

  @Override
  public void ended() {
    bar.close();
    // The library leaves a line alone that it has not shown before it is closed.
    line.close();
    report.ended();
  }
}
