package dev.peerbar.lab.uapi;

/**
 * {@code struct vfio_device_bind_iommufd}, without a token.
 *
 * @param iommufd the file descriptor of {@code /dev/iommu}
 */
public record VfioDeviceBindIommufd(int iommufd) {
  public static final int SIZE = 24;
  private static final int OUT_DEVICE_ID = 12;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(0, SIZE).putInt(8, iommufd).array();
  }

  /** The iommufd object that stands for the device, from the argument after the call. */
  public static int deviceId(byte[] bytes) {
    return Structs.wrap(bytes).getInt(OUT_DEVICE_ID);
  }
}
