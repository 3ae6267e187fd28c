package dev.peerbar.storage;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** Storage that lasts as long as the process: every write is as durable as the next. */
public final class MemoryStorage implements Storage {
  /** What is filled at once, so that nobody waits long. */
  private static final long MOST_FILLED = 2L << 20;

  private final Memory memory;
  private final PieceSize step = new PieceSize();
  private final BlockLocks locks = new BlockLocks();

  /** Changes with all locks held, so that whoever holds one may rely on it. */
  private boolean closed;

  /** The memory to keep blocks in. */
  public interface Memory extends AutoCloseable {
    /** All of it, usable from any thread until {@link #close}. */
    MemorySegment segment();

    /**
     * Makes pages read as zeros and takes their room back, if that can be had.
     *
     * @param position a multiple of {@link Storage#ATOMIC_BLOCK}
     * @param length a multiple of {@link Storage#ATOMIC_BLOCK}
     */
    void giveBack(long position, long length);

    @Override
    void close();
  }

  /**
   * Storage in memory that reads as zeros.
   *
   * @param memory closed with this; nobody else writes it
   */
  public MemoryStorage(Memory memory) {
    this.memory = memory;
  }

  /**
   * Storage in memory that is all taken at once, and none of it given back before the end.
   *
   * @param size in bytes
   */
  public static MemoryStorage allocate(long size) {
    return new MemoryStorage(new Allocated(Arena.ofAuto().allocate(size, ATOMIC_BLOCK)));
  }

  private record Allocated(MemorySegment segment) implements Memory {
    @Override
    public void giveBack(long position, long length) {
      segment.asSlice(position, length).fill((byte) 0);
    }

    @Override
    public void close() {
      // Freed with the last who knows it.
    }
  }

  @Override
  public long size() {
    return memory.segment().byteSize();
  }

  @Override
  public void read(long position, MemorySegment into) {
    Objects.checkFromIndexSize(position, into.byteSize(), size());
    try (BlockLocks.Held _ = locks.toRead(position, into.byteSize())) {
      checkOpen();
      MemorySegment.copy(memory.segment(), position, into, 0, into.byteSize());
    }
  }

  @Override
  public <X extends Exception> boolean show(long position, long length, Taker<X> taker) throws X {
    Objects.checkFromIndexSize(position, length, size());
    try (BlockLocks.Held held = locks.toReadNow(position, length)) {
      if (held == null) {
        return false;
      }
      checkOpen();
      taker.take(memory.segment(), position);
      return true;
    }
  }

  @Override
  public boolean readNow(long position, MemorySegment into) {
    Objects.checkFromIndexSize(position, into.byteSize(), size());
    try (BlockLocks.Held held = locks.toReadNow(position, into.byteSize())) {
      if (held == null) {
        return false;
      }
      checkOpen();
      MemorySegment.copy(memory.segment(), position, into, 0, into.byteSize());
      return true;
    }
  }

  @Override
  public boolean writeNow(long position, MemorySegment from, boolean durable) {
    Objects.checkFromIndexSize(position, from.byteSize(), size());
    try (BlockLocks.Held held = locks.toWriteNow(position, from.byteSize())) {
      if (held == null) {
        return false;
      }
      checkOpen();
      MemorySegment.copy(from, 0, memory.segment(), position, from.byteSize());
      return true;
    }
  }

  @Override
  public void write(long position, MemorySegment from, boolean durable) {
    Objects.checkFromIndexSize(position, from.byteSize(), size());
    try (BlockLocks.Held _ = locks.toWrite(position, from.byteSize())) {
      checkOpen();
      MemorySegment.copy(from, 0, memory.segment(), position, from.byteSize());
    }
  }

  @Override
  public void flush() {
    // Nothing is more durable than it is.
  }

  @Override
  public long zero(long position, long length, boolean deallocate) {
    Objects.checkFromIndexSize(position, length, size());
    if (deallocate) {
      return giveBack(position, length);
    }
    long count = Math.min(length, MOST_FILLED - position % ATOMIC_BLOCK);
    try (BlockLocks.Held _ = locks.toWrite(position, count)) {
      checkOpen();
      fill(position, position + count);
    }
    return count;
  }

  @Override
  public long discard(long position, long length) {
    Objects.checkFromIndexSize(position, length, size());
    long first = roundUp(position);
    long end = roundDown(position + length);
    if (first >= end) {
      return length;
    }
    long done = first + giveBack(first, end - first);
    return done == end ? length : done - position;
  }

  /** Gives whole blocks back and fills the parts of others; returns how much it did. */
  private long giveBack(long position, long length) {
    long count = step.next(position, length);
    long end = position + count;
    long firstWhole = roundUp(position);
    long endWhole = roundDown(end);
    try (BlockLocks.Held _ = locks.toWrite(position, count)) {
      checkOpen();
      long begin = System.nanoTime();
      if (firstWhole >= endWhole) {
        fill(position, end);
      } else {
        fill(position, firstWhole);
        memory.giveBack(firstWhole, endWhole - firstWhole);
        fill(endWhole, end);
      }
      step.took(count, System.nanoTime() - begin);
    }
    return count;
  }

  private void fill(long from, long to) {
    memory.segment().asSlice(from, to - from).fill((byte) 0);
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("the storage is closed");
    }
  }

  private static long roundUp(long position) {
    return roundDown(position + ATOMIC_BLOCK - 1);
  }

  private static long roundDown(long position) {
    return position & -ATOMIC_BLOCK;
  }

  @Override
  public boolean readsZerosAfterDiscard() {
    return true;
  }

  @Override
  public boolean mayWait() {
    return false;
  }

  @Override
  public void close() {
    try (BlockLocks.Held _ = locks.everything()) {
      if (!closed) {
        closed = true;
        memory.close();
      }
    }
  }
}
