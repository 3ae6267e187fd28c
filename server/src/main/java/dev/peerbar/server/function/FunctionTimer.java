package dev.peerbar.server.function;

import dev.peerbar.endpoint.Timer;
import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** A timer of a function. For the function's thread. */
final class FunctionTimer implements Timer {
  /** Longer ones are as good as never: some 146 years, so that no sum of times overflows. */
  private static final Duration LONGEST = Duration.ofNanos(Long.MAX_VALUE / 2);

  private final ScheduledExecutorService functionThread;
  private final Runnable action;
  private final Consumer<Throwable> failed;

  /** What it is armed for, or null. */
  private Expiry expiry;

  /**
   * @param functionThread runs what it is given on the function's thread
   * @param failed told what the action threw
   */
  FunctionTimer(
      ScheduledExecutorService functionThread, Runnable action, Consumer<Throwable> failed) {
    this.functionThread = functionThread;
    this.action = action;
    this.failed = failed;
  }

  /** One time that it was armed. */
  private final class Expiry implements Runnable {
    private Future<?> scheduled;

    @Override
    public void run() {
      // Whether or not the executor takes back what is due already.
      if (expiry != this) {
        return;
      }
      expiry = null;
      try {
        action.run();
      } catch (RuntimeException | Error e) {
        failed.accept(e);
      }
    }
  }

  @Override
  public void arm(Duration delay) {
    if (delay.isNegative()) {
      throw new IllegalArgumentException("a timer armed for %s".formatted(delay));
    }
    cancel();
    expiry = new Expiry();
    long nanos = delay.compareTo(LONGEST) < 0 ? delay.toNanos() : LONGEST.toNanos();
    expiry.scheduled = functionThread.schedule(expiry, nanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public void cancel() {
    if (expiry != null) {
      expiry.scheduled.cancel(false);
      expiry = null;
    }
  }

  @Override
  public boolean armed() {
    return expiry != null;
  }
}
