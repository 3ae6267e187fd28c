package dev.peerbar.lab.uapi;

/**
 * {@code struct iommu_destroy}.
 *
 * @param id any object of the iommufd
 */
public record IommuDestroy(int id) {
  public static final int SIZE = 8;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(0, SIZE).putInt(4, id).array();
  }
}
