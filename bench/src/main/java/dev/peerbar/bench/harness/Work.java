package dev.peerbar.bench.harness;

/** What a side does over and over. For one thread at a time. */
@FunctionalInterface
public interface Work {
  /**
   * Does it once; this call is what is timed.
   *
   * @return how much was done, in whatever the rate is to count: messages, bytes, loads
   */
  long run() throws Exception;
}
