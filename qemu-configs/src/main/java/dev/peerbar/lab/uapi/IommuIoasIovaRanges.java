package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code struct iommu_ioas_iova_ranges}: where an IOAS can be mapped. The ranges themselves go to
 * an array of {@code struct iommu_iova_range} elsewhere in memory.
 *
 * @param ioasId which IOAS
 * @param room ranges that the array has room for
 * @param array address of the array in the calling process
 */
public record IommuIoasIovaRanges(int ioasId, int room, long array) {
  public static final int SIZE = 32;
  private static final int NUM_IOVAS = 8;

  /**
   * {@code struct iommu_iova_range}.
   *
   * @param start first IOVA
   * @param last last IOVA, inclusive
   */
  public record IommuIovaRange(long start, long last) {
    public static final int SIZE = 16;
  }

  public byte[] encode() {
    return Structs.allocate(SIZE)
        .putInt(SIZE)
        .putInt(ioasId)
        .putInt(room)
        .putInt(0)
        .putLong(array)
        .array();
  }

  /** The ranges, from the argument and the array after the call. */
  public static List<IommuIovaRange> ranges(byte[] bytes, byte[] array) {
    int count = Structs.wrap(bytes).getInt(NUM_IOVAS);
    ByteBuffer b = Structs.wrap(array);
    List<IommuIovaRange> ranges = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      ranges.add(new IommuIovaRange(b.getLong(), b.getLong()));
    }
    return List.copyOf(ranges);
  }
}
