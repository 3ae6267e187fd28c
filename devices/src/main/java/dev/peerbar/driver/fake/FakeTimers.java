package dev.peerbar.driver.fake;

import dev.peerbar.endpoint.Timer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;

/** Timers in a time that passes when somebody says so. For one thread. */
final class FakeTimers {
  private final List<FakeTimer> timers = new ArrayList<>();
  private Duration now = Duration.ZERO;

  Timer add(Runnable action, Consumer<Throwable> failed) {
    FakeTimer timer = new FakeTimer(action, failed);
    timers.add(timer);
    return timer;
  }

  /** Lets time pass: what is due by then happens, each at its time, and what that arms too. */
  void advance(Duration time) {
    Duration end = now.plus(time);
    for (FakeTimer next = next(end); next != null; next = next(end)) {
      now = next.due;
      next.expire();
    }
    now = end;
  }

  private FakeTimer next(Duration end) {
    return timers.stream()
        .filter(timer -> timer.armed() && timer.due.compareTo(end) <= 0)
        .min(Comparator.comparing(timer -> timer.due))
        .orElse(null);
  }

  long armed() {
    return timers.stream().filter(FakeTimer::armed).count();
  }

  void cancelAll() {
    timers.forEach(FakeTimer::cancel);
  }

  private final class FakeTimer implements Timer {
    private final Runnable action;
    private final Consumer<Throwable> failed;
    private Duration due;

    FakeTimer(Runnable action, Consumer<Throwable> failed) {
      this.action = action;
      this.failed = failed;
    }

    @Override
    public void arm(Duration delay) {
      if (delay.isNegative()) {
        throw new IllegalArgumentException("a timer armed for %s".formatted(delay));
      }
      due = now.plus(delay);
    }

    @Override
    public void cancel() {
      due = null;
    }

    @Override
    public boolean armed() {
      return due != null;
    }

    private void expire() {
      due = null;
      try {
        action.run();
      } catch (RuntimeException | Error e) {
        failed.accept(e);
      }
    }
  }
}
