package dev.peerbar.bench.harness;

/** What is measured: something to be done over and over. For one thread at a time. */
@FunctionalInterface
public interface Workload {
  /**
   * Does it once; this call is what is timed.
   *
   * @return how much was done, in whatever the rate is to count: messages, bytes, loads
   */
  long run() throws Exception;

  /** Called before each iteration; not timed. */
  default void begin() throws Exception {}

  /** Called after each iteration, even if it failed; not timed. */
  default void end() throws Exception {}

  /** What has to be done before each run, and is not timed. */
  default void prepare() throws Exception {}
}
