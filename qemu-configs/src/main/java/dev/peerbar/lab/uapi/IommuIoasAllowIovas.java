package dev.peerbar.lab.uapi;

import dev.peerbar.lab.uapi.IommuIoasIovaRanges.IommuIovaRange;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * {@code struct iommu_ioas_allow_iovas}: where the kernel may put what has no place of its own.
 *
 * @param ioasId which IOAS
 * @param count ranges of the array
 * @param array address of the array in the calling process
 */
public record IommuIoasAllowIovas(int ioasId, int count, long array) {
  public static final int SIZE = 24;

  public byte[] encode() {
    return Structs.allocate(SIZE)
        .putInt(SIZE)
        .putInt(ioasId)
        .putInt(count)
        .putInt(0)
        .putLong(array)
        .array();
  }

  /** The array. */
  public static byte[] array(List<IommuIovaRange> ranges) {
    ByteBuffer b = Structs.allocate(IommuIovaRange.SIZE * ranges.size());
    ranges.forEach(r -> b.putLong(r.start()).putLong(r.last()));
    return b.array();
  }
}
