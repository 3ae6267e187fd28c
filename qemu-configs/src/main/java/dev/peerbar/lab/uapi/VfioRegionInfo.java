package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code struct vfio_region_info} with its sparse mmap capability.
 *
 * @param argsz bytes that the whole answer takes; more than were given means to ask again
 * @param flags {@code VFIO_REGION_INFO_FLAG_*}
 * @param index which region
 * @param size in bytes, 0 for a region that is not there
 * @param offset where the region begins in the device's file descriptor
 * @param mappable the areas that can be mapped if there is a sparse mmap capability, else empty
 */
public record VfioRegionInfo(
    int argsz, int flags, int index, long size, long offset, List<Area> mappable) {
  public static final int SIZE = 32;
  public static final int FLAG_READ = 1;
  public static final int FLAG_WRITE = 1 << 1;
  public static final int FLAG_MMAP = 1 << 2;
  public static final int FLAG_CAPS = 1 << 3;
  private static final int CAP_SPARSE_MMAP = 1;
  private static final int CAP_OFFSET = 12;

  /**
   * {@code struct vfio_region_sparse_mmap_area}.
   *
   * @param offset from the start of the region, in bytes
   * @param size in bytes
   */
  public record Area(long offset, long size) {}

  public VfioRegionInfo {
    mappable = List.copyOf(mappable);
  }

  /**
   * The argument that asks for a region.
   *
   * @param argsz room for the answer, at least {@link #SIZE}
   */
  public static byte[] request(int index, int argsz) {
    return Structs.allocate(argsz).putInt(0, argsz).putInt(8, index).array();
  }

  public static VfioRegionInfo decode(byte[] bytes) {
    ByteBuffer b = Structs.wrap(bytes);
    int argsz = b.getInt(0);
    int flags = b.getInt(4);
    List<Area> areas = new ArrayList<>();
    if ((flags & FLAG_CAPS) != 0 && argsz <= bytes.length) {
      for (int at : VfioInfoCapabilities.find(b, CAP_OFFSET, CAP_SPARSE_MMAP)) {
        int count = b.getInt(at + 8);
        for (int i = 0; i < count; i++) {
          int area = at + 16 + 16 * i;
          areas.add(new Area(b.getLong(area), b.getLong(area + 8)));
        }
      }
    }
    return new VfioRegionInfo(argsz, flags, b.getInt(8), b.getLong(16), b.getLong(24), areas);
  }

  /** Whether some or all of it can be mapped. */
  public boolean canMap() {
    return (flags & FLAG_MMAP) != 0;
  }
}
