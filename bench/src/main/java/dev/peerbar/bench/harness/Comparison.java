package dev.peerbar.bench.harness;

/** Something to measure, found through {@link java.util.ServiceLoader}. */
public interface Comparison {

  /** What the command line calls it: one word. */
  String name();

  /** What it measures, in one line. */
  String about();

  /** Whether it boots a guest, which takes QEMU and a kernel. */
  default boolean needsGuest() {
    return false;
  }

  /**
   * Measures.
   *
   * @param bench how, and where the figures go
   * @throws BenchmarkException with a sentence if it cannot be measured here
   */
  void run(Bench bench) throws Exception;
}
