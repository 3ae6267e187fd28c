package dev.peerbar.lab.uapi;

import dev.peerbar.lab.uapi.IommuIoasIovaRanges.IommuIovaRange;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code struct vfio_iommu_type1_info} with its capability of IOVA ranges.
 *
 * @param ranges where a container can be mapped, ascending; empty if the kernel does not say
 */
public record VfioIommuType1Info(List<IommuIovaRange> ranges) {
  /** Room for the structure and all capabilities that kernels put behind it. */
  private static final int ROOM = 4096;

  private static final int FLAG_CAPS = 1 << 1;
  private static final int CAP_OFFSET = 16;
  private static final int CAP_IOVA_RANGE = 1;

  public VfioIommuType1Info {
    ranges = List.copyOf(ranges);
  }

  /** The argument that asks for it. */
  public static byte[] request() {
    return Structs.allocate(ROOM).putInt(0, ROOM).array();
  }

  public static VfioIommuType1Info decode(byte[] bytes) {
    ByteBuffer b = Structs.wrap(bytes);
    List<IommuIovaRange> ranges = new ArrayList<>();
    if ((b.getInt(4) & FLAG_CAPS) != 0) {
      for (int at : VfioInfoCapabilities.find(b, CAP_OFFSET, CAP_IOVA_RANGE)) {
        int count = b.getInt(at + 8);
        for (int i = 0; i < count; i++) {
          int range = at + 16 + IommuIovaRange.SIZE * i;
          ranges.add(new IommuIovaRange(b.getLong(range), b.getLong(range + 8)));
        }
      }
    }
    return new VfioIommuType1Info(ranges);
  }
}
