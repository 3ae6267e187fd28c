package dev.peerbar.lab.uapi;

/**
 * {@code struct dma_heap_allocation_data}.
 *
 * @param length in bytes
 * @param fdFlags of the new descriptor, {@code O_CLOEXEC | O_RDWR} for one
 */
public record DmaHeapAllocationData(long length, int fdFlags) {
  public static final int SIZE = 24;
  private static final int FD = 8;

  public byte[] encode() {
    return Structs.allocate(SIZE).putLong(length).putInt(0).putInt(fdFlags).array();
  }

  /** The DMABUF, from the argument after the call. */
  public static int fd(byte[] bytes) {
    return Structs.wrap(bytes).getInt(FD);
  }
}
