package dev.peerbar.lab.uapi;

/**
 * {@code struct vfio_iommu_type1_dma_unmap}, without a dirty bitmap.
 *
 * @param flags 0 or {@link #ALL}
 * @param iova first byte
 * @param length in bytes
 */
public record VfioDmaUnmap(int flags, long iova, long length) {
  /** {@code VFIO_DMA_UNMAP_FLAG_ALL}: all that is mapped; address and length are 0. */
  public static final int ALL = 1 << 1;

  private static final int SIZE = 24;
  private static final int LENGTH = 16;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(SIZE).putInt(flags).putLong(iova).putLong(length).array();
  }

  /** How many bytes were unmapped, from the argument after the call. */
  public static long unmapped(byte[] bytes) {
    return Structs.wrap(bytes).getLong(LENGTH);
  }
}
