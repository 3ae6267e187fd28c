package dev.peerbar.storage;

import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.StampedLock;

/**
 * Keeps the blocks of a {@link Storage} whole: readers of a block beside each other, a writer
 * alone. For any thread; not reentrant.
 *
 * <p>Neighbouring blocks share a lock, and so do a few far apart. A range takes its locks in one
 * order, whichever it is, so that no two wait for each other.
 */
public final class BlockLocks {
  private static final int LOCKS = 1024;

  /** Blocks next to each other that one lock keeps: 64 KiB, so that most commands need one. */
  private static final int REGION_BITS = 16;

  private final Lock[] shared = new Lock[LOCKS];
  private final Lock[] exclusive = new Lock[LOCKS];

  public BlockLocks() {
    for (int i = 0; i < LOCKS; i++) {
      StampedLock lock = new StampedLock();
      shared[i] = lock.asReadLock();
      exclusive[i] = lock.asWriteLock();
    }
  }

  /** What a thread has locked, and lets go of. */
  public static final class Held implements AutoCloseable {
    private final Lock[] locks;
    private final int first;
    private final int count;

    private Held(Lock[] locks, int first, int count) {
      this.locks = locks;
      this.first = first;
      this.count = count;
      // Those at the beginning that the range wraps around to are the lowest.
      for (int i = 0; i < first + count - LOCKS; i++) {
        locks[i].lock();
      }
      for (int i = first; i < Math.min(first + count, LOCKS); i++) {
        locks[i].lock();
      }
    }

    @Override
    public void close() {
      for (int i = 0; i < count; i++) {
        locks[(first + i) % LOCKS].unlock();
      }
    }
  }

  /** Waits until nobody writes in a range, and keeps it so. */
  public Held toRead(long position, long length) {
    return lock(shared, position, length);
  }

  /** Waits until nobody reads or writes in a range, and keeps it so. */
  public Held toWrite(long position, long length) {
    return lock(exclusive, position, length);
  }

  /** Waits until nobody reads or writes anywhere, and keeps it so. */
  public Held everything() {
    return new Held(exclusive, 0, LOCKS);
  }

  private static Held lock(Lock[] locks, long position, long length) {
    if (length <= 0) {
      return new Held(locks, 0, 0);
    }
    long first = position >>> REGION_BITS;
    long last = position + length - 1 >>> REGION_BITS;
    return last - first >= LOCKS - 1
        ? new Held(locks, 0, LOCKS)
        : new Held(locks, (int) (first % LOCKS), (int) (last - first + 1));
  }
}
