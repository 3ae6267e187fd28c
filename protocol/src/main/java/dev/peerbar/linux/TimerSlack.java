package dev.peerbar.linux;

/** How much later than asked for a thread may wake, so that the kernel can wake several at once. */
public final class TimerSlack {
  private static final int PR_SET_TIMERSLACK = 29;
  private static final long LEAST_NANOS = 1;

  private TimerSlack() {}

  /**
   * Makes timed waits of the calling thread end when they should: by default they take 50
   * microseconds more (prctl(2), PR_SET_TIMERSLACK). Where the kernel does not let it, nothing
   * changes.
   */
  public static void least() {
    Libc.prctl(PR_SET_TIMERSLACK, LEAST_NANOS);
  }
}
