package dev.peerbar.lab.uapi;

/**
 * {@code struct iommu_hwpt_get_dirty_bitmap}, which clears what it gets.
 *
 * @param hwptId of which page table
 * @param iova first byte
 * @param length in bytes
 * @param pageSize bytes that a bit stands for
 * @param bitmap address of the bitmap in the calling process
 */
public record IommuHwptGetDirtyBitmap(
    int hwptId, long iova, long length, long pageSize, long bitmap) {
  public static final int SIZE = 48;

  public byte[] encode() {
    return Structs.allocate(SIZE)
        .putInt(SIZE)
        .putInt(hwptId)
        .putInt(0)
        .putInt(0)
        .putLong(iova)
        .putLong(length)
        .putLong(pageSize)
        .putLong(bitmap)
        .array();
  }
}
