package dev.peerbar.protocol.socket;

/**
 * How long to look for the next message before going to sleep for it, learnt from how long the last
 * sleeps were, as KVM learns how long a halted processor is worth polling (Linux,
 * Documentation/virt/kvm/halt-polling.rst): a sleep that a longer look would have spared makes the
 * next looks longer, one that no look could have spared ends them. For one thread.
 */
final class AdaptiveSpin {
  private static final long FIRST_NANOS = 10_000;

  private final long mostNanos;
  private long nanos;

  /**
   * @param mostNanos how long it is worth looking; 0 for never
   */
  AdaptiveSpin(long mostNanos) {
    this.mostNanos = mostNanos;
    this.nanos = mostNanos;
  }

  /** Whether looking was asked for at all. */
  boolean isWorthwhile() {
    return mostNanos > 0;
  }

  /** How long to look, in nanoseconds. */
  long nanos() {
    return nanos;
  }

  /**
   * A look was in vain, and the sleep after it ended.
   *
   * @param waited from the begin of the look on, in nanoseconds
   */
  void slept(long waited) {
    if (waited > mostNanos) {
      nanos = 0;
    } else {
      nanos = Math.min(mostNanos, Math.max(FIRST_NANOS, 2 * nanos));
    }
  }
}
