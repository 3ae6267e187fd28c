package dev.peerbar.scenario.report;

import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Problem;
import dev.peerbar.scenario.RunListener;
import java.io.PrintWriter;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/**
 * The program of {@link ReportsTest}: reports on a run that stops after its first scenario, and
 * goes on when the JVM ends. Its second scenario fails then, as one does whose guest is killed.
 */
final class TerminatedRun {
  private static final CountDownLatch ends = new CountDownLatch(1);
  private static volatile boolean goesOn;

  private TerminatedRun() {}

  public static void main(String[] arguments) {
    Path directory = Path.of(arguments[0]);
    Thread run = Thread.currentThread();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> goOn(run)));
    Reports reports =
        new Reports(
            List.of(
                new TextReport(new PrintWriter(System.out), MadeUpRun.REPEAT),
                new ReportDirectory(directory, MadeUpRun.REPEAT, List.of())));
    MadeUpRun madeUp = new MadeUpRun(directory, 1).in("first");
    madeUp
        .with("a.passes", new Outcome.Passed("all"))
        .with("a.fails", madeUp.failed(Problem.Kind.NO_GUEST, "it was killed"))
        .tell(stoppedAfterOne(reports));
  }

  private static RunListener stoppedAfterOne(Reports reports) {
    return (RunListener)
        Proxy.newProxyInstance(
            TerminatedRun.class.getClassLoader(),
            new Class<?>[] {RunListener.class},
            (_, method, arguments) -> {
              Object nothing = method.invoke(reports, arguments);
              if ("scenarioEnded".equals(method.getName())) {
                ends.await();
                goesOn = true;
              }
              return nothing;
            });
  }

  /** Until the run is over, or stays where it is. */
  private static void goOn(Thread run) {
    ends.countDown();
    while (run.isAlive() && !(goesOn && run.getState() == Thread.State.WAITING)) {
      Thread.onSpinWait();
    }
  }
}
