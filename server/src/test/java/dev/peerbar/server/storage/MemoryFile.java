package dev.peerbar.server.storage;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.LinuxException;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** A file that fails as it is told to, and forgets what was not synced when it loses power. */
final class MemoryFile implements BlockFile {
  private final byte[] bytes;
  private byte[] stable;
  private long length;
  private final boolean holes;

  Optional<Errno> writeError = Optional.empty();
  Optional<Errno> readError = Optional.empty();

  /** Tells the first one who syncs, as the kernel does, and loses everything since the last. */
  Optional<Errno> syncError = Optional.empty();

  Runnable whileSyncing = () -> {};
  int syncs;
  int zeroRanges;

  /**
   * @param holes whether it can punch them
   */
  MemoryFile(int size, boolean holes) {
    bytes = new byte[size];
    stable = bytes.clone();
    length = size;
    this.holes = holes;
  }

  /** Somebody else makes it shorter. */
  void shorten(long to) {
    length = to;
  }

  synchronized void losePower() {
    System.arraycopy(stable, 0, bytes, 0, bytes.length);
  }

  private static void fail(String call, Optional<Errno> error) throws LinuxException {
    if (error.isPresent()) {
      throw new LinuxException(call, error.get());
    }
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public synchronized long read(long position, MemorySegment into) throws LinuxException {
    fail("pread", readError);
    long count = Math.clamp(length - position, 0, into.byteSize());
    MemorySegment.copy(MemorySegment.ofArray(bytes), position, into, 0, count);
    return count;
  }

  @Override
  public synchronized void write(long position, MemorySegment from) throws LinuxException {
    fail("pwrite", writeError);
    MemorySegment.copy(from, 0, MemorySegment.ofArray(bytes), position, from.byteSize());
  }

  @Override
  public void sync() throws LinuxException {
    whileSyncing.run();
    synchronized (this) {
      syncs++;
      Optional<Errno> error = syncError;
      syncError = Optional.empty();
      fail("fdatasync", error);
      stable = bytes.clone();
    }
  }

  @Override
  public synchronized void punchHole(long position, long count) throws LinuxException {
    if (!holes) {
      throw new LinuxException("fallocate", Errno.EOPNOTSUPP);
    }
    MemorySegment.ofArray(bytes).asSlice(position, count).fill((byte) 0);
  }

  @Override
  public synchronized void zeroRange(long position, long count) throws LinuxException {
    zeroRanges++;
    throw new LinuxException("fallocate", Errno.EOPNOTSUPP);
  }

  @Override
  public void close() {
    // Memory goes by itself.
  }
}
