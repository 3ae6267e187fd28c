package dev.peerbar.storage;

/**
 * How much of a long range to change in one call of the system that cannot be interrupted. Whoever
 * wants the blocks, or waits for the end, waits for one step: it grows as long as steps are quick,
 * and shrinks as soon as one is not. For any thread.
 */
public final class PieceSize {
  /** In bytes; a multiple of {@link Storage#ATOMIC_BLOCK}, as every step is. */
  private static final long LEAST = 2L << 20;

  /**
   * In bytes. Where there was nothing for many steps and then is something, one of this size is
   * what it takes to know; and of nothing at all, 15 TiB are a few thousand calls.
   */
  private static final long MOST = 4L << 30;

  private static final long QUICK_NANOS = 2_000_000;
  private static final long SLOW_NANOS = 10_000_000;

  // Threads that overwrite each other's only learn a little later.
  private volatile long bytes = LEAST;

  /**
   * The length of the next step, which ends where the range does or between two blocks: only the
   * ends of the whole range can cut one.
   *
   * @param position where it begins, in bytes
   * @param length what is left of the range, in bytes
   */
  public long next(long position, long length) {
    return Math.min(length, bytes - position % Storage.ATOMIC_BLOCK);
  }

  /**
   * Learns.
   *
   * @param length of a step, in bytes
   * @param nanos that it took
   */
  public void took(long length, long nanos) {
    if (nanos > SLOW_NANOS) {
      bytes = Math.max(length / 2 & -Storage.ATOMIC_BLOCK, LEAST);
    } else if (nanos < QUICK_NANOS && length > bytes / 2) {
      bytes = Math.min(2 * bytes, MOST);
    }
  }
}
