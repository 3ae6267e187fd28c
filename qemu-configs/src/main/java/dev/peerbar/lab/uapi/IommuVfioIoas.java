package dev.peerbar.lab.uapi;

/**
 * {@code struct iommu_vfio_ioas} that sets which IOAS the requests of type1 work on.
 *
 * @param ioasId which
 */
public record IommuVfioIoas(int ioasId) {
  public static final int SIZE = 12;
  private static final short SET = 1;
  private static final int UNMAP_SIZE = 24;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(SIZE).putInt(ioasId).putShort(SET).array();
  }

  /** {@code struct vfio_iommu_type1_dma_unmap} without flags, for that IOAS. */
  public static byte[] type1Unmap(long iova, long length) {
    return Structs.allocate(UNMAP_SIZE)
        .putInt(UNMAP_SIZE)
        .putInt(0)
        .putLong(iova)
        .putLong(length)
        .array();
  }
}
