package dev.peerbar.lab.uapi;

/**
 * {@code struct iommu_vfio_ioas} that sets which IOAS the requests of type1 work on.
 *
 * @param ioasId which
 */
public record IommuVfioIoas(int ioasId) {
  public static final int SIZE = 12;
  private static final short SET = 1;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(SIZE).putInt(ioasId).putShort(SET).array();
  }
}
