package dev.peerbar.server.dma;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A disk that takes as long as the test says: in place of every file that is mapped from now on.
 * The bytes are in memory of the test's.
 */
public final class WaitingFiles {
  private static final long LIMIT_SECONDS = 120;

  private final MemorySegment bytes;
  private final Semaphore begun = new Semaphore(0);
  private final Semaphore mayGoOn = new Semaphore(0);
  private final AtomicInteger ended = new AtomicInteger();
  private final AtomicInteger open = new AtomicInteger();

  private WaitingFiles(MemorySegment bytes) {
    this.bytes = bytes;
  }

  /** On the function's thread, or before there is one. */
  public static WaitingFiles install(BusMaster bus, MemorySegment bytes) {
    WaitingFiles files = new WaitingFiles(bytes);
    bus.table()
        .files()
        .openWith((_, status, _, _) -> {
          files.open.incrementAndGet();
          return files.new Waiting(status.size());
        });
    return files;
  }

  /** Waits until an access has begun that was not waited for before. */
  public void awaitBegun() throws InterruptedException {
    if (!begun.tryAcquire(LIMIT_SECONDS, TimeUnit.SECONDS)) {
      throw new AssertionError("no access began");
    }
  }

  /** Lets every access end, those to come too. */
  public void letGo() {
    mayGoOn.release(Integer.MAX_VALUE / 2);
  }

  /** Accesses that have ended. */
  public int ended() {
    return ended.get();
  }

  /** Files that are not closed. */
  public int open() {
    return open.get();
  }

  private final class Waiting implements ClientFile.Slow {
    private final long size;

    Waiting(long size) {
      this.size = size;
    }

    @Override
    public long size() {
      return size;
    }

    @Override
    public boolean read(long offset, MemorySegment into, long at, long length) {
      await();
      MemorySegment.copy(bytes, offset, into, at, length);
      ended.incrementAndGet();
      return true;
    }

    @Override
    public boolean write(long offset, MemorySegment from, long at, long length) {
      await();
      MemorySegment.copy(from, at, bytes, offset, length);
      ended.incrementAndGet();
      return true;
    }

    private void await() {
      begun.release();
      mayGoOn.acquireUninterruptibly();
    }

    @Override
    public void close() {
      open.decrementAndGet();
    }
  }
}
