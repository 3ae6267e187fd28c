package dev.peerbar.lab.uapi;

/** {@code struct vfio_device_detach_iommufd_pt}, without a PASID. */
public record VfioDeviceDetachIommufdPt() {
  public static final int SIZE = 12;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(0, SIZE).array();
  }
}
