package dev.peerbar.linux;

import java.lang.foreign.MemorySegment;

/** Memory of this process alone, of any size: pages take room only once they are written. */
public final class PrivateMemory {
  private static final int PROT_READ_WRITE = 3;
  private static final int MAP_PRIVATE_ANONYMOUS = 0x22;
  private static final int MAP_NORESERVE = 0x4000;
  private static final int MADV_DONTNEED = 4;
  private static final int NO_FILE = -1;

  private PrivateMemory() {}

  /**
   * Takes address space that reads as zeros (mmap(2), MAP_ANONYMOUS).
   *
   * @param size in bytes, positive
   * @throws LinuxException ENOMEM if there is no room for so much
   */
  @SuppressWarnings("restricted") // The length is the one that was mapped.
  public static Mapping map(long size) throws LinuxException {
    long address =
        Libc.mmap(0, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE, NO_FILE, 0);
    if (address == -1) {
      throw new LinuxException("mmap", Libc.errno());
    }
    return new Mapping(MemorySegment.ofAddress(address).reinterpret(size));
  }

  /**
   * Makes pages of such memory read as zeros and gives back the room they take (madvise(2),
   * MADV_DONTNEED).
   *
   * @param offset in bytes, a multiple of the page size
   * @param length in bytes; rounded up to whole pages
   * @throws LinuxException EINVAL for an offset that is not that of a page
   */
  public static void giveBack(Mapping memory, long offset, long length) throws LinuxException {
    MemorySegment range = memory.segment().asSlice(offset, length);
    Libc.check("madvise", Libc.madvise(range.address(), length, MADV_DONTNEED));
  }
}
