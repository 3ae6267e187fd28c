package dev.peerbar.lab.uapi;

/**
 * {@code struct iommu_hw_info} without room for data of a vendor's: what a device's IOMMU can do.
 *
 * @param deviceId as {@code VFIO_DEVICE_BIND_IOMMUFD} gave it
 */
public record IommuHwInfo(int deviceId) {
  public static final int SIZE = 40;
  public static final int DIRTY_TRACKING = 1;
  private static final int OUT_CAPABILITIES = 32;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(0, SIZE).putInt(8, deviceId).array();
  }

  /** {@code IOMMU_HW_CAP_*}, from the argument after the call. */
  public static long capabilities(byte[] bytes) {
    return Structs.wrap(bytes).getLong(OUT_CAPABILITIES);
  }
}
