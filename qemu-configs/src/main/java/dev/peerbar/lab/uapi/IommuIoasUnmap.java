package dev.peerbar.lab.uapi;

/**
 * {@code struct iommu_ioas_unmap}.
 *
 * @param ioasId where
 * @param iova first byte
 * @param length in bytes; must cover whole mappings
 */
public record IommuIoasUnmap(int ioasId, long iova, long length) {
  public static final int SIZE = 24;
  private static final int LENGTH = 16;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(SIZE).putInt(ioasId).putLong(iova).putLong(length).array();
  }

  /** How many bytes were unmapped, from the argument after the call. */
  public static long unmapped(byte[] bytes) {
    return Structs.wrap(bytes).getLong(LENGTH);
  }
}
