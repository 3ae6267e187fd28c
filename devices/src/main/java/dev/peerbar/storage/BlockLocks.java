package dev.peerbar.storage;

/**
 * Keeps the blocks of a {@link Storage} whole: readers of a block beside each other, a writer
 * alone. For any thread; not reentrant.
 *
 * <p>What is locked is a range, of any length at the same cost. Whoever comes waits for those
 * before it whose blocks it shares, those that still wait among them, so that nobody starves and no
 * two wait for each other. As there are no more of them than threads that use the storage, they are
 * a list. In the long run nothing is allocated.
 */
public final class BlockLocks {
  private static final long BLOCK_MASK = Storage.ATOMIC_BLOCK - 1;

  // Guarded by this: those who hold and those who wait, as they came; and who has gone.
  private final Held list = new Held();
  private Held spare;
  private int waiting;

  public BlockLocks() {
    list.before = list;
    list.after = list;
  }

  /** What a thread has locked, and lets go of, once. */
  public final class Held implements AutoCloseable {
    private long first;
    private long end;
    private boolean alone;
    private Held before;
    private Held after;

    private Held() {}

    private boolean excludes(Held other) {
      return (alone || other.alone) && first < other.end && other.first < end;
    }

    @Override
    public void close() {
      release(this);
    }
  }

  /** Waits until nobody writes in a range, and keeps it so. */
  public Held toRead(long position, long length) {
    return lock(first(position, length), end(position, length), false);
  }

  /** Waits until nobody reads or writes in a range, and keeps it so. */
  public Held toWrite(long position, long length) {
    return lock(first(position, length), end(position, length), true);
  }

  /** As {@link #toRead}, unless it would have to wait: null then. */
  public Held toReadNow(long position, long length) {
    return lockNow(first(position, length), end(position, length), false);
  }

  /** As {@link #toWrite}, unless it would have to wait: null then. */
  public Held toWriteNow(long position, long length) {
    return lockNow(first(position, length), end(position, length), true);
  }

  /** Waits until nobody reads or writes anywhere, and keeps it so. */
  public Held everything() {
    return lock(0, Long.MAX_VALUE, true);
  }

  // An empty range has nothing in common with any other.

  private static long first(long position, long length) {
    return length > 0 ? position & ~BLOCK_MASK : Long.MAX_VALUE;
  }

  private static long end(long position, long length) {
    return length > 0 ? position + length + BLOCK_MASK & ~BLOCK_MASK : 0;
  }

  private synchronized Held lock(long first, long end, boolean alone) {
    Held held = add(first, end, alone);
    awaitThoseBefore(held);
    return held;
  }

  private synchronized Held lockNow(long first, long end, boolean alone) {
    Held held = add(first, end, alone);
    if (isExcluded(held)) {
      release(held);
      return null;
    }
    return held;
  }

  private Held add(long first, long end, boolean alone) {
    Held held = spare;
    if (held == null) {
      held = new Held();
    } else {
      spare = held.after;
    }
    held.first = first;
    held.end = end;
    held.alone = alone;
    held.before = list.before;
    held.after = list;
    held.before.after = held;
    list.before = held;
    return held;
  }

  private void awaitThoseBefore(Held held) {
    boolean interrupted = false;
    while (isExcluded(held)) {
      waiting++;
      try {
        wait();
      } catch (InterruptedException e) {
        interrupted = true;
      } finally {
        waiting--;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean isExcluded(Held held) {
    for (Held other = held.before; other != list; other = other.before) {
      if (held.excludes(other)) {
        return true;
      }
    }
    return false;
  }

  private synchronized void release(Held held) {
    held.before.after = held.after;
    held.after.before = held.before;
    held.before = null;
    held.after = spare;
    spare = held;
    if (waiting > 0) {
      notifyAll();
    }
  }
}
