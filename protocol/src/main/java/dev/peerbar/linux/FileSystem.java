package dev.peerbar.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Where a file is (statfs(2)).
 *
 * @param kind what its bytes depend on
 * @param blockSize in bytes; of {@link Kind#HUGE_PAGES} the size of a page
 */
public record FileSystem(Kind kind, long blockSize) {
  // struct statfs on a 64-bit machine.
  private static final long F_TYPE = 0;
  private static final long F_BSIZE = 8;
  private static final long STATFS_LENGTH = 120;

  /** What the bytes of a file depend on. */
  public enum Kind {
    /** Memory of this machine, in ordinary pages: memfd, tmpfs, ramfs. */
    MEMORY,
    /**
     * Huge pages out of the machine's pool (hugetlbfs, memfd with MFD_HUGETLB), which may be empty
     * when one is needed. They can be read and mapped, but not written with write(2).
     */
    HUGE_PAGES,
    /** A disk of this machine (ext2 to ext4, XFS, Btrfs, F2FS), which takes its time. */
    DISK,
    /** A buffer of a device or its driver, which knows alone how it may be touched. */
    DMABUF,
    /** Anything else. In FUSE and over a network anybody may answer, and nobody has to. */
    OTHER;

    /** By f_type (linux/magic.h). */
    static Kind of(long magic) {
      return switch ((int) magic) {
        case 0x01021994, 0x858458f6 -> MEMORY;
        case 0x958458f6 -> HUGE_PAGES;
        case 0xef53, 0x58465342, 0x9123683e, 0xf2f52010 -> DISK;
        case 0x444d4142 -> DMABUF;
        default -> OTHER;
      };
    }
  }

  /**
   * Asks the kernel.
   *
   * @throws LinuxException EBADF if the descriptor is closed
   */
  public static FileSystem of(FileDescriptor file) throws LinuxException {
    int number = file.acquire("fstatfs");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment status = arena.allocate(STATFS_LENGTH, Long.BYTES);
      Libc.check("fstatfs", Libc.fstatfs(number, status));
      return new FileSystem(
          Kind.of(status.get(ValueLayout.JAVA_LONG, F_TYPE)),
          status.get(ValueLayout.JAVA_LONG, F_BSIZE));
    } finally {
      file.release();
    }
  }
}
