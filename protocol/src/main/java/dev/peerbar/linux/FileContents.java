package dev.peerbar.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.OptionalLong;

/** Bytes of a file at a place, without mapping them; and where there are any. */
public final class FileContents {
  private static final int FALLOC_FL_KEEP_SIZE = 1;
  private static final int FALLOC_FL_PUNCH_HOLE = 2;
  private static final int SEEK_DATA = 3;
  private static final int SEEK_HOLE = 4;

  private FileContents() {}

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
    if (!into.isNative()) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment copy = arena.allocate(into.byteSize());
        long length = read(file, offset, copy);
        into.asSlice(0, length).copyFrom(copy.asSlice(0, length));
        return length;
      }
    }
    int number = file.acquire("pread");
    try {
      for (long done = 0; ; ) {
        if (done == into.byteSize()) {
          return done;
        }
        long length =
            Libc.pread(number, into.address() + done, into.byteSize() - done, offset + done);
        if (length < 0) {
          throw new LinuxException("pread", Libc.errno());
        }
        if (length == 0) {
          return done;
        }
        done += length;
      }
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
        if (length < 0) {
          throw new LinuxException("pwrite", Libc.errno());
        }
        done += length;
      }
    } finally {
      file.release();
    }
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
    int number = file.acquire("fallocate");
    try {
      Libc.check(
          "fallocate",
          Libc.fallocate(number, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
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
