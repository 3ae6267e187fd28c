package dev.peerbar.bench.harness;

import org.HdrHistogram.Histogram;

/**
 * What one side did in one iteration.
 *
 * @param nanos how long each run of its workload took
 * @param amount the sum of what the runs returned
 * @param elapsed the sum of the runs' durations, in nanoseconds
 */
record Iteration(Histogram nanos, long amount, long elapsed) {
  private static final int DIGITS = 3;
  private static final long NANOS_PER_SECOND = 1_000_000_000L;

  /** Runs a side until its time is over, at least once. */
  static Iteration of(Workload workload, long duration) throws Exception {
    workload.begin();
    try {
      return timed(workload, duration);
    } finally {
      workload.end();
    }
  }

  private static Iteration timed(Workload workload, long duration) throws Exception {
    Histogram nanos = new Histogram(DIGITS);
    long amount = 0;
    long elapsed = 0;
    long begin = System.nanoTime();
    long end;
    do {
      workload.prepare();
      long before = System.nanoTime();
      amount += workload.run();
      end = System.nanoTime();
      nanos.recordValue(end - before);
      elapsed += end - before;
    } while (end - begin < duration);
    return new Iteration(nanos, amount, elapsed);
  }

  /** The same for a side that keeps its own time. */
  static Iteration ofTimed(TimedWorkload workload, long duration) throws Exception {
    Histogram nanos = new Histogram(DIGITS);
    long amount = 0;
    long elapsed = 0;
    long begin = System.nanoTime();
    do {
      TimedWorkload.Invocation invocation = workload.run();
      amount += invocation.amount();
      elapsed += invocation.nanos();
      nanos.recordValue(invocation.nanos());
    } while (System.nanoTime() - begin < duration);
    return new Iteration(nanos, amount, elapsed);
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
