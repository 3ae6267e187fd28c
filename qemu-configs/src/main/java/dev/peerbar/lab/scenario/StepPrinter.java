package dev.peerbar.lab.scenario;

import dev.peerbar.scenario.UnexpectedException;
import java.io.PrintStream;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Performs steps and prints each: what was expected, what was seen, how long it took. */
public final class StepPrinter {
  private static final Logger log = LoggerFactory.getLogger(StepPrinter.class);

  private final PrintStream out;

  public StepPrinter(PrintStream out) {
    this.out = out;
  }

  /** Performs the steps up to the first that fails. Returns whether all held. */
  public boolean perform(Scenario scenario) {
    for (Step step : scenario.steps()) {
      out.printf("%-3s%s%n", step.id(), step.title());
      out.printf("   expected  %s%n", step.expected());
      out.flush();
      long start = System.nanoTime();
      boolean held = perform(step);
      Duration took = Duration.ofNanos(System.nanoTime() - start);
      out.printf("   %-8s  %.2f s%n", held ? "ok" : "FAILED", took.toMillis() / 1e3);
      out.flush();
      if (!held) {
        return false;
      }
    }
    return true;
  }

  private boolean perform(Step step) {
    try {
      out.printf("   saw       %s%n", step.action().perform());
      return true;
    } catch (UnexpectedException e) {
      out.printf("   saw       %s%n", e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      out.printf("   saw       an interruption%n");
    } catch (Exception e) {
      out.printf("   saw       %s%n", e);
      log.debug("step {}", step.id(), e);
    }
    return false;
  }
}
