package dev.peerbar.bench.harness;

import org.HdrHistogram.Histogram;

/**
 * What one side did in one turn.
 *
 * @param nanos how long each run of its work took
 * @param amount the sum of what the runs returned
 * @param elapsed the sum of the runs' durations, in nanoseconds
 */
record Turn(Histogram nanos, long amount, long elapsed) {
  private static final int DIGITS = 3;
  private static final long NANOS_PER_SECOND = 1_000_000_000L;

  /** Runs a side until its time is over, at least once. */
  static Turn of(Work work, long duration) throws Exception {
    work.begin();
    try {
      return timed(work, duration);
    } finally {
      work.end();
    }
  }

  private static Turn timed(Work work, long duration) throws Exception {
    Histogram nanos = new Histogram(DIGITS);
    long amount = 0;
    long elapsed = 0;
    long begin = System.nanoTime();
    long end;
    do {
      work.prepare();
      long before = System.nanoTime();
      amount += work.run();
      end = System.nanoTime();
      nanos.recordValue(end - before);
      elapsed += end - before;
    } while (end - begin < duration);
    return new Turn(nanos, amount, elapsed);
  }

  /** The same for a side that keeps its own time. */
  static Turn ofTimed(TimedWork work, long duration) throws Exception {
    Histogram nanos = new Histogram(DIGITS);
    long amount = 0;
    long elapsed = 0;
    long begin = System.nanoTime();
    do {
      TimedWork.Lap lap = work.run();
      amount += lap.amount();
      elapsed += lap.nanos();
      nanos.recordValue(lap.nanos());
    } while (System.nanoTime() - begin < duration);
    return new Turn(nanos, amount, elapsed);
  }

  double percentile(double percentile) {
    return nanos.getValueAtPercentile(percentile);
  }

  /** Amount per second. */
  double rate() {
    return (double) amount * NANOS_PER_SECOND / elapsed;
  }

  /** Nanoseconds for one of the amount. */
  double cost() {
    return (double) elapsed / amount;
  }
}
