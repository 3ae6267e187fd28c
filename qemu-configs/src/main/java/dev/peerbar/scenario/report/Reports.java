package dev.peerbar.scenario.report;

import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.GroupEnd;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.ScenarioResult;
import dev.peerbar.scenario.Setting;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Several reports as one, which are ended even if the run is not: when this is closed, and when the
 * JVM is asked to end, as by Ctrl-C. What a run meets after that, such as guests that are killed,
 * is not reported, and the run is held where it is: it begins nothing more.
 */
public final class Reports implements RunListener, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Reports.class);

  /** How long the JVM's end waits for a report that is being told something. */
  private static final long PATIENCE_SECONDS = 5;

  private final List<RunListener> reports;
  private final Thread hook = Thread.ofPlatform().name("reports-end").unstarted(this::endWithJvm);
  private final ReentrantLock lock = new ReentrantLock();
  private boolean begun;
  private boolean ended;

  /**
   * @param reports told in this order
   */
  public Reports(List<RunListener> reports) {
    this.reports = List.copyOf(reports);
    Runtime.getRuntime().addShutdownHook(hook);
  }

  private void endWithJvm() {
    try {
      if (lock.tryLock(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        try {
          end();
        } finally {
          lock.unlock();
        }
      }
    } catch (InterruptedException | RuntimeException e) {
      log.error("the reports are not complete", e);
    }
  }

  /** With the lock. */
  private void end() {
    if (begun && !ended) {
      ended = true;
      reports.forEach(RunListener::ended);
    }
  }

  private void tell(Consumer<RunListener> event) {
    lock.lock();
    try {
      if (!jvmEnds()) {
        reports.forEach(event);
        return;
      }
    } finally {
      lock.unlock();
    }
    stayHere();
  }

  /** Whether the JVM has been asked to end: it takes no hooks from then on. */
  private static boolean jvmEnds() {
    Thread probe = Thread.ofPlatform().unstarted(() -> {});
    try {
      Runtime.getRuntime().addShutdownHook(probe);
      Runtime.getRuntime().removeShutdownHook(probe);
      return false;
    } catch (IllegalStateException e) {
      return true;
    }
  }

  private static void stayHere() {
    while (true) {
      try {
        new CountDownLatch(1).await();
      } catch (InterruptedException e) {
        // The JVM ends all the same.
      }
    }
  }

  @Override
  public void planned(Plan plan, long seed) {
    tell(report -> report.planned(plan, seed));
    begun = true;
  }

  @Override
  public void groupBegan(Plan.Group<?> group) {
    tell(report -> report.groupBegan(group));
  }

  @Override
  public void booted(BootResult boot) {
    tell(report -> report.booted(boot));
  }

  @Override
  public void scenarioBegan(Setting setting, Description scenario, int round) {
    tell(report -> report.scenarioBegan(setting, scenario, round));
  }

  @Override
  public void scenarioEnded(ScenarioResult result) {
    tell(report -> report.scenarioEnded(result));
  }

  @Override
  public void groupEnded(GroupEnd end) {
    tell(report -> report.groupEnded(end));
  }

  @Override
  public void ended() {
    close();
  }

  /** Ends the reports, if they are not. */
  @Override
  public void close() {
    lock.lock();
    try {
      end();
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // Then the hook runs, or waits for this.
    } finally {
      lock.unlock();
    }
  }
}
