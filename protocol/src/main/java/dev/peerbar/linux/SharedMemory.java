package dev.peerbar.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Memory that processes share through a file descriptor. */
public final class SharedMemory {
  private static final int MFD_CLOEXEC = 1;
  private static final int MFD_ALLOW_SEALING = 2;
  private static final int MFD_HUGETLB = 4;
  private static final int F_SEAL_SEAL = 1;
  private static final int F_SEAL_SHRINK = 2;
  private static final int F_SEAL_GROW = 4;
  private static final int PROT_READ = 1;
  private static final int PROT_WRITE = 2;
  private static final int MAP_SHARED = 1;

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
   * Creates a memory file of huge pages, zeroed, which anybody may resize. Closed on exec. It has
   * no pages yet: {@link #map} finds out whether there are any.
   *
   * @param size in bytes, a multiple of the size of a huge page
   * @throws LinuxException EMFILE, ENFILE; EINVAL for a size that is no multiple; ENOSYS if the
   *     kernel knows no huge pages
   */
  public static FileDescriptor createOfHugePages(String name, long size) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      int number = Libc.memfdCreate(arena.allocateFrom(name), MFD_CLOEXEC | MFD_HUGETLB);
      FileDescriptor memory = FileDescriptor.adopt(Libc.check("memfd_create", number));
      try {
        Libc.check("ftruncate", Libc.ftruncate(number, size));
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
   * <p>Does not look whether the file is that long: {@link FileStatus#size} tells. Of a file of
   * huge pages the whole range is set aside in the machine's pool, as far as the file has it not
   * yet, so that no other file takes those pages; a hole punched later gives them back.
   *
   * @param offset into the file, in bytes, a multiple of the page size
   * @param length in bytes, positive; need not be a multiple of the page size
   * @throws LinuxException EACCES if the descriptor was not opened for such access; ENODEV if it
   *     cannot be mapped; ENOMEM, also if the pool has too few huge pages; EINVAL, EOVERFLOW
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
      address = Libc.mmap(0, length, access.protection, MAP_SHARED, number, offset);
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
   * Whether nobody can make the file shorter than it is now. That touching its mapping cannot fail
   * follows for a size asked for afterwards, if it is on a {@link FileSystem.Kind#MEMORY}.
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
