package dev.peerbar.devices.nvme;

import dev.peerbar.storage.Storage;
import dev.peerbar.storage.StorageException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** Bytes in memory, of which tests see and decide how they are used. */
public final class TestStorage implements Storage {
  private final MemorySegment bytes;
  private final List<String> calls = new CopyOnWriteArrayList<>();
  private final AtomicInteger waiting = new AtomicInteger();
  private volatile Before before = _ -> {};
  private volatile boolean mayWait;
  private volatile long step = Long.MAX_VALUE;

  /** Called by whoever uses the storage, before anything is done. */
  public interface Before {
    void call(String what) throws StorageException;
  }

  public TestStorage(long size) {
    bytes = Arena.ofAuto().allocate(size, 64);
  }

  public MemorySegment bytes() {
    return bytes;
  }

  public void before(Before newBefore) {
    before = newBefore;
  }

  public void mayWait(boolean newMayWait) {
    mayWait = newMayWait;
  }

  /** How much is zeroed or discarded at a time, in bytes. */
  public void step(long newStep) {
    step = newStep;
  }

  /** Such as "write 512+1024 durable", in order. */
  public List<String> calls() {
    return calls;
  }

  /** Calls that have begun and not come past {@link #before}. */
  public int waiting() {
    return waiting.get();
  }

  private void begin(String what) throws StorageException {
    waiting.incrementAndGet();
    try {
      before.call(what);
    } finally {
      waiting.decrementAndGet();
    }
    calls.add(what);
  }

  @Override
  public long size() {
    return bytes.byteSize();
  }

  @Override
  public void read(long position, MemorySegment into) throws StorageException {
    begin("read %d+%d".formatted(position, into.byteSize()));
    into.copyFrom(bytes.asSlice(position, into.byteSize()));
  }

  @Override
  public void write(long position, MemorySegment from, boolean durable) throws StorageException {
    begin("write %d+%d%s".formatted(position, from.byteSize(), durable ? " durable" : ""));
    bytes.asSlice(position, from.byteSize()).copyFrom(from);
  }

  @Override
  public boolean readNow(long position, MemorySegment into) throws StorageException {
    if (!mayWait) {
      read(position, into);
    }
    return !mayWait;
  }

  @Override
  public boolean writeNow(long position, MemorySegment from, boolean durable)
      throws StorageException {
    if (!mayWait) {
      write(position, from, durable);
    }
    return !mayWait;
  }

  @Override
  public void flush() throws StorageException {
    begin("flush");
  }

  @Override
  public long zero(long position, long length, boolean deallocate) throws StorageException {
    long count = Math.min(length, step);
    begin("zero %d+%d%s".formatted(position, count, deallocate ? " deallocate" : ""));
    bytes.asSlice(position, count).fill((byte) 0);
    return count;
  }

  @Override
  public long discard(long position, long length) throws StorageException {
    long count = Math.min(length, step);
    begin("discard %d+%d".formatted(position, count));
    bytes.asSlice(position, count).fill((byte) 0);
    return count;
  }

  @Override
  public boolean readsZerosAfterDiscard() {
    return true;
  }

  @Override
  public boolean mayWait() {
    return mayWait;
  }

  @Override
  public void close() {}
}
