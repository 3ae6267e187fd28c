package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.function.IntSupplier;

/** Bytes of a file at a place, without mapping them; and where there are any. */
public final class FileContents {
  private static final int FALLOC_FL_KEEP_SIZE = 1;
  private static final int FALLOC_FL_PUNCH_HOLE = 2;
  private static final int FALLOC_FL_ZERO_RANGE = 0x10;
  private static final int SEEK_END = 2;
  private static final int SEEK_DATA = 3;
  private static final int SEEK_HOLE = 4;

  private static final int O_RDWR = 2;
  private static final int O_EXCL = 0x80;
  private static final int O_NONBLOCK = 0x800;
  private static final int O_CLOEXEC = 0x80000;

  /** A struct iovec for each thread. */
  private static final ThreadLocal<MemorySegment> RANGE =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(2 * Long.BYTES, Long.BYTES));

  private FileContents() {}

  /**
   * Opens a file that exists, for reading and writing; closed on exec. Waits for nobody, whatever
   * kind of file it is (open(2), O_NONBLOCK).
   *
   * @throws LinuxException what open says: ENOENT, EACCES, EROFS, EISDIR, ETXTBSY and others
   */
  public static FileDescriptor open(Path path) throws LinuxException {
    return open(path, 0);
  }

  /**
   * Opens a block device that nothing else uses: that is not mounted, for one. Otherwise as {@link
   * #open(Path)}.
   *
   * @throws LinuxException EBUSY if it is in use
   */
  public static FileDescriptor openUnusedDevice(Path path) throws LinuxException {
    return open(path, O_EXCL);
  }

  private static FileDescriptor open(Path path, int flags) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      int number =
          Libc.open(arena.allocateFrom(path.toString()), O_RDWR | O_NONBLOCK | O_CLOEXEC | flags);
      return FileDescriptor.adopt(Libc.check("open", number));
    }
  }

  /**
   * Reads (pread(2)).
   *
   * @param offset in the file, in bytes
   * @param into filled from its beginning
   * @return bytes read; less than the segment only at the end of the file
   * @throws LinuxException what pread says
   */
  public static long read(FileDescriptor file, long offset, MemorySegment into)
      throws LinuxException {
    return read(file, offset, into, 0, into.byteSize());
  }

  /**
   * Reads into a part of a segment (pread(2)). The segment may be a {@link Mapping} of which parts
   * cannot be touched any more: where a store would raise SIGBUS, this fails. Without garbage if
   * the segment is native.
   *
   * @param offset in the file, in bytes
   * @param at where in the segment
   * @return bytes read; less than the length only at the end of the file
   * @throws LinuxException what pread says; EFAULT for the first byte that cannot be stored
   */
  public static long read(
      FileDescriptor file, long offset, MemorySegment into, long at, long length)
      throws LinuxException {
    Objects.checkFromIndexSize(at, length, into.byteSize());
    if (!into.isNative()) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment copy = arena.allocate(length);
        long done = read(file, offset, copy, 0, length);
        MemorySegment.copy(copy, 0, into, at, done);
        return done;
      }
    }
    if (into.isReadOnly()) {
      throw new LinuxException("pread", Errno.EFAULT);
    }
    int number = file.acquire("pread");
    try {
      for (long done = 0; ; ) {
        if (done == length) {
          return done;
        }
        long part = Libc.pread(number, into.address() + at + done, length - done, offset + done);
        if (part == 0) {
          return done;
        }
        done += transferred("pread", part);
      }
    } finally {
      file.release();
    }
  }

  /**
   * Reads what needs no waiting (preadv2(2), RWF_NOWAIT): what the kernel has in memory, of a file
   * system that can say so.
   *
   * @return whether all of it was read; if not, its content is undefined. Never into a segment that
   *     is not native
   */
  public static boolean readNow(FileDescriptor file, long offset, MemorySegment into) {
    if (!into.isNative()) {
      return false;
    }
    int number;
    try {
      number = file.acquire("preadv2");
    } catch (LinuxException _) {
      return false;
    }
    try {
      MemorySegment range = RANGE.get();
      range.set(JAVA_LONG, 0, into.address());
      range.set(JAVA_LONG, Long.BYTES, into.byteSize());
      return Libc.preadNow(number, range.address(), offset) == into.byteSize();
    } finally {
      file.release();
    }
  }

  /**
   * Writes all of a segment (pwrite(2)); past the end, the file grows.
   *
   * @param offset in the file, in bytes
   * @throws LinuxException what pwrite says
   */
  public static void write(FileDescriptor file, long offset, MemorySegment from)
      throws LinuxException {
    if (!from.isNative()) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment copy = arena.allocate(from.byteSize());
        copy.copyFrom(from);
        write(file, offset, copy);
        return;
      }
    }
    int number = file.acquire("pwrite");
    try {
      for (long done = 0; done < from.byteSize(); ) {
        long length =
            Libc.pwrite(number, from.address() + done, from.byteSize() - done, offset + done);
        if (length == 0) {
          // Not of any file system known to hold files; asking for ever would be worse.
          throw new LinuxException("pwrite", Errno.EIO);
        }
        done += transferred("pwrite", length);
      }
    } finally {
      file.release();
    }
  }

  /** How many bytes a call moved: none if a signal came first. */
  private static long transferred(String call, long result) throws LinuxException {
    if (result >= 0) {
      return result;
    }
    if (Libc.errno() == Errno.EINTR.code()) {
      return 0;
    }
    throw new LinuxException(call, Libc.errno());
  }

  /**
   * Puts all that was written to the file, by anyone, on stable storage, with what is needed to
   * find it there (fdatasync(2)).
   *
   * @throws LinuxException EIO, ENOSPC, EDQUOT: something that was written may be lost, and this is
   *     the only time that this descriptor is told
   */
  public static void sync(FileDescriptor file) throws LinuxException {
    int number = file.acquire("fdatasync");
    try {
      retry("fdatasync", () -> Libc.fdatasync(number));
    } finally {
      file.release();
    }
  }

  private static void retry(String call, IntSupplier attempt) throws LinuxException {
    while (attempt.getAsInt() < 0) {
      if (Libc.errno() != Errno.EINTR.code()) {
        throw new LinuxException(call, Libc.errno());
      }
    }
  }

  /**
   * How long the file is, or how large the device (lseek(2), SEEK_END). Moves the file position.
   *
   * @return bytes
   * @throws LinuxException ESPIPE for what has no length
   */
  public static long length(FileDescriptor file) throws LinuxException {
    return seek(file, 0, SEEK_END).orElseThrow();
  }

  /**
   * Makes a range read as zeros and gives its memory or disk blocks back (fallocate(2),
   * FALLOC_FL_PUNCH_HOLE).
   *
   * @param length in bytes, positive
   * @throws LinuxException EOPNOTSUPP if the file system cannot
   */
  public static void punchHole(FileDescriptor file, long offset, long length)
      throws LinuxException {
    allocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
  }

  /**
   * Makes a range read as zeros and keeps the disk blocks for it, without writing them as a rule
   * (fallocate(2), FALLOC_FL_ZERO_RANGE). The file does not grow.
   *
   * @param length in bytes, positive
   * @throws LinuxException EOPNOTSUPP if the file system cannot; ENOSPC
   */
  public static void zeroRange(FileDescriptor file, long offset, long length)
      throws LinuxException {
    allocate(file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length);
  }

  private static void allocate(FileDescriptor file, int mode, long offset, long length)
      throws LinuxException {
    int number = file.acquire("fallocate");
    try {
      retry("fallocate", () -> Libc.fallocate(number, mode, offset, length));
    } finally {
      file.release();
    }
  }

  /**
   * Where the next bytes are that are more than a hole (lseek(2), SEEK_DATA). Moves the file
   * position.
   *
   * @param offset where to begin to look, in bytes
   * @return at least {@code offset}; empty if nothing but a hole follows
   * @throws LinuxException EINVAL if the file system cannot tell
   */
  public static OptionalLong nextData(FileDescriptor file, long offset) throws LinuxException {
    return seek(file, offset, SEEK_DATA);
  }

  /**
   * Where the next hole is, the end of the file if there is none before it (lseek(2), SEEK_HOLE).
   * Moves the file position.
   *
   * @param offset where to begin to look, in bytes
   * @return at least {@code offset}; empty if that is not within the file
   * @throws LinuxException EINVAL if the file system cannot tell
   */
  public static OptionalLong nextHole(FileDescriptor file, long offset) throws LinuxException {
    return seek(file, offset, SEEK_HOLE);
  }

  private static OptionalLong seek(FileDescriptor file, long offset, int whence)
      throws LinuxException {
    int number = file.acquire("lseek");
    try {
      long found = Libc.lseek(number, offset, whence);
      if (found >= 0) {
        return OptionalLong.of(found);
      }
      if (Libc.errno() == Errno.ENXIO.code()) {
        return OptionalLong.empty();
      }
      throw new LinuxException("lseek", Libc.errno());
    } finally {
      file.release();
    }
  }
}
