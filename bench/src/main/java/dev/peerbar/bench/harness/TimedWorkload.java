package dev.peerbar.bench.harness;

/** What a side does over and over that keeps its own time. For one thread at a time. */
@FunctionalInterface
public interface TimedWorkload {
  /** Does it once. */
  Invocation run() throws Exception;

  /**
   * What was done.
   *
   * @param amount in whatever the rate is to count: accesses, bytes
   * @param nanos how long it took, in nanoseconds; positive
   */
  record Invocation(long amount, long nanos) {}
}
