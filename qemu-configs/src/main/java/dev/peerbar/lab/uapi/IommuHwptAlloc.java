package dev.peerbar.lab.uapi;

/**
 * {@code struct iommu_hwpt_alloc} without data of a vendor's: a hardware page table of an IOAS.
 *
 * @param flags {@code IOMMU_HWPT_ALLOC_*}
 * @param deviceId for whose IOMMU, as {@code VFIO_DEVICE_BIND_IOMMUFD} gave it
 * @param pageTableId the IOAS whose mappings it has
 */
public record IommuHwptAlloc(int flags, int deviceId, int pageTableId) {
  public static final int SIZE = 48;
  public static final int DIRTY_TRACKING = 1 << 1;
  private static final int OUT_HWPT_ID = 16;

  public byte[] encode() {
    return Structs.allocate(SIZE)
        .putInt(SIZE)
        .putInt(flags)
        .putInt(deviceId)
        .putInt(pageTableId)
        .array();
  }

  /** The new object, from the argument after the call. */
  public static int hwptId(byte[] bytes) {
    return Structs.wrap(bytes).getInt(OUT_HWPT_ID);
  }
}
