package dev.peerbar.server.storage;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.storage.BlockLocks;
import dev.peerbar.storage.PieceSize;
import dev.peerbar.storage.Storage;
import dev.peerbar.storage.StorageException;
import dev.peerbar.storage.StorageException.Kind;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A raw image: the bytes of a file or a block device, as large as it was when it was opened.
 *
 * <p>Never mapped: a file that somebody shortens, or a disk that fails, is an error of the call
 * that meets it. Whoever shortens the file loses what was there, so as long as it is too short
 * nothing can be written or flushed, and what is missing cannot be read.
 */
public final class ImageFile implements Storage {
  private static final Logger log = LoggerFactory.getLogger(ImageFile.class);

  /** Zeros that are written at once where they have to be. */
  private static final long ZEROS = 2L << 20;

  private final String name;
  private final BlockFile file;
  private final long size;
  private final boolean mayShrink;
  private final boolean zerosAfterDiscard;
  private final BlockLocks locks = new BlockLocks();
  private final PieceSize step = new PieceSize();
  private final MemorySegment zeros = Arena.ofAuto().allocate(ZEROS);

  private volatile boolean canPunchHoles = true;
  private volatile boolean canZeroRanges = true;
  private volatile boolean closed;

  /** Changes that were made, counted once made. */
  private final AtomicLong changes = new AtomicLong();

  /**
   * One at a time: the kernel tells of writes that it lost only once, and whoever flushes meanwhile
   * must hear of it too.
   */
  private final ReentrantLock syncing = new ReentrantLock();

  /** How many changes are on stable storage; none yet that an earlier process made. */
  private long synced = -1;

  /** What was said when writes were lost; nothing is durable ever after. */
  private String lost;

  private ImageFile(
      String name, BlockFile file, long size, boolean mayShrink, boolean zerosAfterDiscard) {
    this.name = name;
    this.file = file;
    this.size = size;
    this.mayShrink = mayShrink;
    this.zerosAfterDiscard = zerosAfterDiscard;
  }

  /**
   * Opens an image and keeps others from it: programs that lock images as QEMU does, and for a
   * block device whoever would mount it.
   *
   * @throws IOException with a sentence that says why it cannot be served
   */
  public static ImageFile open(Path path) throws IOException {
    LockedFile file = LockedFile.open(path);
    try {
      long size = file.length();
      if (size == 0) {
        throw new IOException(path + " is empty: an image has the size that the disk is to have");
      }
      if (size % SECTOR != 0) {
        throw new IOException(
            "%s has %d bytes, which is no multiple of %d".formatted(path, size, SECTOR));
      }
      return new ImageFile(path.toString(), file, size, !file.isDevice(), file.canPunchHoles());
    } catch (LinuxException e) {
      file.close();
      throw new IOException("%s cannot be served: %s".formatted(path, e.getMessage()), e);
    } catch (IOException e) {
      file.close();
      throw e;
    }
  }

  /**
   * An image of a size in any file that may be shortened.
   *
   * @param punches whether holes can be punched there
   */
  static ImageFile over(String name, BlockFile file, long size, boolean punches) {
    return new ImageFile(name, file, size, true, punches);
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public void read(long position, MemorySegment into) throws StorageException {
    check(position, into.byteSize());
    long length;
    try (BlockLocks.Held _ = locks.toRead(position, into.byteSize())) {
      length = file.read(position, into);
    } catch (LinuxException e) {
      throw failure(Kind.READ_FAILED, "read", position, e);
    }
    if (length < into.byteSize()) {
      throw tooShort(Kind.READ_FAILED, position + length);
    }
  }

  /** What the kernel has in memory. Writes may wait there even for room in memory. */
  @Override
  public boolean readNow(long position, MemorySegment into) throws StorageException {
    check(position, into.byteSize());
    try (BlockLocks.Held held = locks.toReadNow(position, into.byteSize())) {
      return held != null && file.readNow(position, into);
    }
  }

  @Override
  public void write(long position, MemorySegment from, boolean durable) throws StorageException {
    check(position, from.byteSize());
    checkLength();
    try (BlockLocks.Held _ = locks.toWrite(position, from.byteSize())) {
      file.write(position, from);
    } catch (LinuxException e) {
      throw failure(kindOfWrite(e), "written", position, e);
    } finally {
      changes.incrementAndGet();
    }
    if (durable) {
      sync();
    }
  }

  /**
   * {@inheritDoc}
   *
   * <p>Does nothing if nothing changed since the last one began that did not fail.
   */
  @Override
  public void flush() throws StorageException {
    check(0, 0);
    checkLength();
    sync();
  }

  private void sync() throws StorageException {
    long before = changes.get();
    syncing.lock();
    try {
      if (lost != null) {
        throw new StorageException(Kind.WRITE_FAILED, lost);
      }
      if (synced >= before) {
        return;
      }
      long now = changes.get();
      file.sync();
      synced = now;
    } catch (LinuxException e) {
      lost =
          "%s: what was written may be lost (%s); every flush fails until it is served anew"
              .formatted(name, e.getMessage());
      log.error(lost);
      throw new StorageException(Kind.WRITE_FAILED, lost, e);
    } finally {
      syncing.unlock();
    }
  }

  @Override
  public long zero(long position, long length, boolean deallocate) throws StorageException {
    check(position, length);
    checkLength();
    try {
      return inPieces(position, length, (at, count) -> zeroStep(at, count, deallocate));
    } catch (LinuxException e) {
      throw failure(kindOfWrite(e), "zeroed", position, e);
    }
  }

  private long zeroStep(long position, long length, boolean deallocate) throws LinuxException {
    if (deallocate && punchHole(position, length) || zeroRange(position, length)) {
      return length;
    }
    long count = Math.min(length, ZEROS - position % ATOMIC_BLOCK);
    file.write(position, zeros.asSlice(0, count));
    return count;
  }

  @Override
  public long discard(long position, long length) throws StorageException {
    check(position, length);
    long first = (position + ATOMIC_BLOCK - 1) & -ATOMIC_BLOCK;
    long end = position + length & -ATOMIC_BLOCK;
    if (first >= end || !canPunchHoles) {
      return length;
    }
    try {
      long done = first + inPieces(first, end - first, this::discardStep);
      return done == end ? length : done - position;
    } catch (LinuxException e) {
      throw failure(kindOfWrite(e), "discarded", position, e);
    }
  }

  private long discardStep(long position, long length) throws LinuxException {
    punchHole(position, length);
    return length;
  }

  /** Returns false where that is not possible. */
  private boolean punchHole(long position, long length) throws LinuxException {
    if (canPunchHoles) {
      try {
        file.punchHole(position, length);
        return true;
      } catch (LinuxException e) {
        if (e.errno() != Errno.EOPNOTSUPP || zerosAfterDiscard) {
          throw e;
        }
        canPunchHoles = false;
      }
    }
    return false;
  }

  /** Returns false where that is not possible. */
  private boolean zeroRange(long position, long length) throws LinuxException {
    if (canZeroRanges) {
      try {
        file.zeroRange(position, length);
        return true;
      } catch (LinuxException e) {
        if (e.errno() != Errno.EOPNOTSUPP) {
          throw e;
        }
        canZeroRanges = false;
      }
    }
    return false;
  }

  private interface Piece {
    /** Returns how much was done. */
    long run(long position, long length) throws LinuxException;
  }

  private long inPieces(long position, long length, Piece change) throws LinuxException {
    if (length == 0) {
      return 0;
    }
    long count = step.next(position, length);
    try (BlockLocks.Held _ = locks.toWrite(position, count)) {
      long begin = System.nanoTime();
      long done = change.run(position, count);
      step.took(done, System.nanoTime() - begin);
      return done;
    } finally {
      changes.incrementAndGet();
    }
  }

  private void check(long position, long length) {
    Objects.checkFromIndexSize(position, length, size);
    if (closed) {
      throw new IllegalStateException(name + " is closed");
    }
  }

  /** A write would make a file that somebody shortened longer again, with zeros in between. */
  private void checkLength() throws StorageException {
    if (!mayShrink) {
      return;
    }
    long length;
    try {
      length = file.length();
    } catch (LinuxException e) {
      throw failure(Kind.WRITE_FAILED, "written", 0, e);
    }
    if (length < size) {
      throw tooShort(Kind.WRITE_FAILED, length);
    }
  }

  private StorageException tooShort(Kind kind, long end) {
    return new StorageException(
        kind, "%s ends at %d; it was %d bytes when it was opened".formatted(name, end, size));
  }

  private StorageException failure(Kind kind, String done, long position, LinuxException e) {
    return new StorageException(
        kind, "%s cannot be %s at %d: %s".formatted(name, done, position, e.getMessage()), e);
  }

  private static Kind kindOfWrite(LinuxException e) {
    return switch (e.errno()) {
      // EFBIG: a limit of this process, or the largest file that the file system has.
      case ENOSPC, EDQUOT, EFBIG -> Kind.FULL;
      default -> Kind.WRITE_FAILED;
    };
  }

  @Override
  public boolean readsZerosAfterDiscard() {
    return zerosAfterDiscard;
  }

  @Override
  public boolean mayWait() {
    return true;
  }

  @Override
  public void close() {
    closed = true;
    // When the last call that is under way has left it: a disk may let that wait for long.
    file.close();
  }
}
