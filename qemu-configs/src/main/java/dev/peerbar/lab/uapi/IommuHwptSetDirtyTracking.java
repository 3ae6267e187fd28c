package dev.peerbar.lab.uapi;

/**
 * {@code struct iommu_hwpt_set_dirty_tracking}.
 *
 * @param enable whether writes of devices are to be tracked
 * @param hwptId in which page table
 */
public record IommuHwptSetDirtyTracking(boolean enable, int hwptId) {
  public static final int SIZE = 16;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(SIZE).putInt(enable ? 1 : 0).putInt(hwptId).array();
  }
}
