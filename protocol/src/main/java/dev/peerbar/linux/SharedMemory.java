package dev.peerbar.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Set;

/** Memory that processes share through a file descriptor. */
public final class SharedMemory {
  private static final int MFD_CLOEXEC = 1;
  private static final int MFD_ALLOW_SEALING = 2;
  private static final int F_SEAL_SEAL = 1;
  private static final int F_SEAL_SHRINK = 2;
  private static final int F_SEAL_GROW = 4;
  private static final int PROT_READ = 1;
  private static final int PROT_WRITE = 2;
  private static final int MAP_SHARED = 1;
  private static final int MAP_NORESERVE = 0x4000;

  // struct statfs on a 64-bit machine.
  private static final long F_TYPE = 0;
  private static final long STATFS_LENGTH = 120;

  /** tmpfs and memfd, ramfs, ext2 to ext4, XFS, Btrfs, F2FS, DMABUFs (linux/magic.h). */
  private static final Set<Long> LOCAL_FILE_SYSTEMS =
      Set.of(0x01021994L, 0x858458f6L, 0xef53L, 0x58465342L, 0x9123683eL, 0xf2f52010L, 0x444d4142L);

  /** What a mapping lets this process do. */
  public enum Access {
    READ_ONLY(PROT_READ),
    READ_WRITE(PROT_READ | PROT_WRITE);

    private final int protection;

    Access(int protection) {
      this.protection = protection;
    }
  }

  private SharedMemory() {}

  /**
   * Creates a memory file, zeroed, whose size nobody can change any more: neither a process that it
   * is shared with nor this one. Closed on exec.
   *
   * @param name shown in /proc, for people
   * @param size in bytes, positive
   * @throws LinuxException EMFILE, ENFILE, ENOMEM; EINVAL for a size or a name too long
   */
  public static FileDescriptor create(String name, long size) throws LinuxException {
    if (size <= 0) {
      throw new LinuxException("ftruncate", Errno.EINVAL);
    }
    try (Arena arena = Arena.ofConfined()) {
      int number = Libc.memfdCreate(arena.allocateFrom(name), MFD_CLOEXEC | MFD_ALLOW_SEALING);
      FileDescriptor memory = FileDescriptor.adopt(Libc.check("memfd_create", number));
      try {
        Libc.check("ftruncate", Libc.ftruncate(number, size));
        Libc.check(
            "fcntl",
            Libc.fcntl(number, Libc.F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
        return memory;
      } catch (LinuxException e) {
        memory.close();
        throw e;
      }
    }
  }

  /**
   * Maps a range of a file, shared. The descriptor may be closed afterwards.
   *
   * <p>Does not look whether the file is that long: {@link FileStatus#size} tells.
   *
   * @param offset into the file, in bytes, a multiple of the page size
   * @param length in bytes, positive; need not be a multiple of the page size
   * @throws LinuxException EACCES if the descriptor was not opened for such access; ENODEV if it
   *     cannot be mapped; EINVAL, ENOMEM, EOVERFLOW
   */
  @SuppressWarnings("restricted") // The length is the one that was mapped.
  public static Mapping map(FileDescriptor file, long offset, long length, Access access)
      throws LinuxException {
    if (offset < 0 || length <= 0) {
      throw new LinuxException("mmap", Errno.EINVAL);
    }
    long address;
    int number = file.acquire("mmap");
    try {
      address = Libc.mmap(0, length, access.protection, MAP_SHARED | MAP_NORESERVE, number, offset);
      if (address == -1) {
        throw new LinuxException("mmap", Libc.errno());
      }
    } finally {
      file.release();
    }
    MemorySegment segment = MemorySegment.ofAddress(address).reinterpret(length);
    return new Mapping(access == Access.READ_ONLY ? segment.asReadOnly() : segment);
  }

  /**
   * Whether reading and writing the file is between this process and this machine's memory or
   * disks, so that it comes to an end. In other file systems (FUSE, the network's) anybody may
   * answer, and nobody has to. Huge pages out of the machine's pool (hugetlbfs) are not among them
   * either: touching a mapping raises SIGBUS while the pool is empty, sealed or not, and pwrite(2)
   * does not write them.
   *
   * @throws LinuxException EBADF if the descriptor is closed
   */
  public static boolean answersByItself(FileDescriptor file) throws LinuxException {
    int number = file.acquire("fstatfs");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment status = arena.allocate(STATFS_LENGTH, Long.BYTES);
      Libc.check("fstatfs", Libc.fstatfs(number, status));
      return LOCAL_FILE_SYSTEMS.contains(status.get(ValueLayout.JAVA_LONG, F_TYPE));
    } finally {
      file.release();
    }
  }

  /**
   * Whether nobody can make the file shorter than it is now. That touching its mapping cannot fail
   * follows for a size asked for afterwards, if the file {@link #answersByItself}.
   *
   * @return false for a file that cannot be sealed at all
   * @throws LinuxException EBADF if the descriptor is closed
   */
  public static boolean sealedAgainstShrinking(FileDescriptor file) throws LinuxException {
    int number = file.acquire("fcntl");
    try {
      int seals = Libc.fcntl(number, Libc.F_GET_SEALS, 0);
      return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
    } finally {
      file.release();
    }
  }
}
