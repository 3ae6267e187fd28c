package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What the kernel says of an open file (statx(2), fcntl(2)).
 *
 * @param device the file system that it is on
 * @param inode together with the device, which file it is
 * @param size in bytes; 0 for a device, which {@link FileContents#length} can tell
 * @param allocated bytes that it takes on its file system; less than the size if it has holes
 * @param readable whether this descriptor was opened for reading
 * @param writable whether this descriptor was opened for writing
 */
public record FileStatus(
    long device,
    long inode,
    long size,
    long allocated,
    Type type,
    boolean readable,
    boolean writable) {

  /** Kinds of files. */
  public enum Type {
    REGULAR(0x8000),
    DIRECTORY(0x4000),
    CHARACTER_DEVICE(0x2000),
    BLOCK_DEVICE(0x6000),
    PIPE(0x1000),
    SOCKET(0xC000),
    /** Anything else, an event descriptor for one. */
    OTHER(0);

    private final int format;

    Type(int format) {
      this.format = format;
    }

    private static Type ofMode(int mode) {
      for (Type type : values()) {
        if (type.format == (mode & S_IFMT)) {
          return type;
        }
      }
      return OTHER;
    }
  }

  private static final int S_IFMT = 0xF000;
  private static final int AT_EMPTY_PATH = 0x1000;
  private static final int STATX_TYPE = 0x001;
  private static final int STATX_INO = 0x100;
  private static final int STATX_SIZE = 0x200;
  private static final int STATX_BLOCKS = 0x400;

  /** What blocks are counted in, whatever they are to the file system (stat(2)). */
  private static final int BLOCK_BYTES = 512;

  // struct statx, the same on every architecture.
  private static final long STX_MODE = 28;
  private static final long STX_INO = 32;
  private static final long STX_SIZE = 40;
  private static final long STX_BLOCKS = 48;
  private static final long STX_DEV_MAJOR = 136;
  private static final long STX_DEV_MINOR = 140;
  private static final long STX_LENGTH = 256;

  private static final int O_ACCMODE = 3;
  private static final int O_RDONLY = 0;
  private static final int O_WRONLY = 1;
  private static final int O_RDWR = 2;
  private static final int O_PATH = 0x200000;

  /**
   * Asks the kernel.
   *
   * @throws LinuxException EBADF if the descriptor is closed
   */
  public static FileStatus of(FileDescriptor file) throws LinuxException {
    int number = file.acquire("statx");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment status = arena.allocate(STX_LENGTH, Long.BYTES);
      int wanted = STATX_TYPE | STATX_INO | STATX_SIZE | STATX_BLOCKS;
      Libc.check(
          "statx", Libc.statx(number, arena.allocateFrom(""), AT_EMPTY_PATH, wanted, status));
      int flags = Libc.check("fcntl", Libc.fcntl(number, Libc.F_GETFL, 0));
      // A descriptor opened with O_PATH names a file and opens nothing.
      int mode = (flags & O_PATH) != 0 ? O_ACCMODE : flags & O_ACCMODE;
      return new FileStatus(
          (long) status.get(JAVA_INT, STX_DEV_MAJOR) << Integer.SIZE
              | Integer.toUnsignedLong(status.get(JAVA_INT, STX_DEV_MINOR)),
          status.get(JAVA_LONG, STX_INO),
          status.get(JAVA_LONG, STX_SIZE),
          status.get(JAVA_LONG, STX_BLOCKS) * BLOCK_BYTES,
          Type.ofMode(Short.toUnsignedInt(status.get(JAVA_SHORT, STX_MODE))),
          mode == O_RDONLY || mode == O_RDWR,
          mode == O_WRONLY || mode == O_RDWR);
    } finally {
      file.release();
    }
  }
}
