package dev.peerbar.driver;

/**
 * Memory that is handed out from its beginning on, in whole pages. For one thread at a time.
 *
 * <p>Nothing is given back piece by piece: all that was taken since a {@link #mark} is, at once.
 */
public final class DmaArea {
  private static final long PAGE = 4096;

  private final DmaRange memory;
  private long used;

  /** All of some memory. */
  public DmaArea(DmaRange memory) {
    this.memory = memory;
  }

  /** What is handed out of. */
  public DmaRange memory() {
    return memory;
  }

  /**
   * So many bytes, at the beginning of a page, that nobody else has.
   *
   * @throws IllegalStateException if there are not as many left
   */
  public DmaRange take(long length) {
    if (length > memory.length() - used) {
      throw new IllegalStateException(
          "%d bytes are wanted, and %d of %d are left."
              .formatted(length, memory.length() - used, memory.length()));
    }
    DmaRange taken = memory.slice(used, length);
    used = Math.min(memory.length(), used + (length + PAGE - 1) / PAGE * PAGE);
    return taken;
  }

  /** How much has been taken, for {@link #release}. */
  public long mark() {
    return used;
  }

  /** Gives back all that was taken since. */
  public void release(long mark) {
    used = mark;
  }
}
