package dev.peerbar.storage;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** Storage that lasts as long as the process: every write is as durable as the next. */
public final class MemoryStorage implements Storage {
  /** What is given back and zeroed at once, so that nobody waits long for a lock. */
  private static final long STEP = 2L << 20;

  private final Memory memory;
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
  public void zero(long position, long length, boolean deallocate, boolean durable) {
    Objects.checkFromIndexSize(position, length, size());
    inSteps(position, length, (at, count) -> clear(at, count, deallocate));
  }

  @Override
  public void discard(long position, long length) {
    Objects.checkFromIndexSize(position, length, size());
    long first = roundUp(position);
    long end = roundDown(position + length);
    if (first < end) {
      inSteps(first, end - first, (at, count) -> clear(at, count, true));
    }
  }

  private void clear(long position, long length, boolean giveBack) {
    long first = roundUp(position);
    long end = roundDown(position + length);
    if (!giveBack || first >= end) {
      fill(position, position + length);
      return;
    }
    fill(position, first);
    memory.giveBack(first, end - first);
    fill(end, position + length);
  }

  private void fill(long from, long to) {
    memory.segment().asSlice(from, to - from).fill((byte) 0);
  }

  private interface Step {
    void run(long position, long length);
  }

  private void inSteps(long position, long length, Step step) {
    for (long done = 0; done < length; ) {
      long at = position + done;
      // Up to a boundary, so that only the ends of the whole range can cut a block.
      long count = Math.min(length - done, STEP - at % STEP);
      try (BlockLocks.Held _ = locks.toWrite(at, count)) {
        checkOpen();
        step.run(at, count);
      }
      done += count;
    }
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
