package dev.peerbar.lab.uapi;

/**
 * {@code struct vfio_device_attach_iommufd_pt}, without a PASID.
 *
 * @param pageTableId an IOAS or a hardware page table of the iommufd that the device is bound to
 */
public record VfioDeviceAttachIommufdPt(int pageTableId) {
  public static final int SIZE = 16;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(0, SIZE).putInt(8, pageTableId).array();
  }
}
