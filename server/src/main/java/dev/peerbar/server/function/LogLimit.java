package dev.peerbar.server.function;

import java.util.function.LongSupplier;

/** How many lines may be logged: some at once, and one more for each interval that passes. */
final class LogLimit {
  private final int burst;
  private final long intervalNanos;
  private final LongSupplier clock;
  private long creditNanos;
  private long last;
  private long leftOut;

  /**
   * @param clock in nanoseconds
   */
  LogLimit(int burst, long intervalNanos, LongSupplier clock) {
    this.burst = burst;
    this.intervalNanos = intervalNanos;
    this.clock = clock;
    creditNanos = burst * intervalNanos;
    last = clock.getAsLong();
  }

  /** Whether a line may be logged now. It counts, either way. */
  boolean allows() {
    long now = clock.getAsLong();
    creditNanos = Math.min(burst * intervalNanos, creditNanos + (now - last));
    last = now;
    if (creditNanos < intervalNanos) {
      leftOut++;
      return false;
    }
    creditNanos -= intervalNanos;
    return true;
  }

  /** The lines that were not logged since this was last asked. */
  long takeLeftOut() {
    long count = leftOut;
    leftOut = 0;
    return count;
  }
}
