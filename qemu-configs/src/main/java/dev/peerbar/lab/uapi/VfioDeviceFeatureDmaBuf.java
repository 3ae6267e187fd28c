package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * {@code struct vfio_device_feature} that gets {@code struct vfio_device_feature_dma_buf}: the
 * ioctl's result is the DMABUF's file descriptor.
 *
 * @param region the BAR
 * @param openFlags of the new file descriptor, {@code O_CLOEXEC | O_RDWR} for one
 * @param flags 0, or {@link #ZONE_DEVICE}
 * @param ranges page-aligned parts of the BAR, not empty
 */
public record VfioDeviceFeatureDmaBuf(
    VfioPciRegion region, int openFlags, int flags, List<VfioRegionDmaRange> ranges) {
  /**
   * Gives the ranges struct pages, so that files can be read into a mapping of the DMABUF and
   * written from it. Linux 7.3 knows no flag.
   */
  public static final int ZONE_DEVICE = 1;

  private static final int HEADER = 8;
  private static final int FIXED = 16;
  private static final int FEATURE_DMA_BUF = 11;
  private static final int FEATURE_GET = 1 << 16;
  private static final int FEATURE_PROBE = 1 << 18;

  /**
   * {@code struct vfio_region_dma_range}.
   *
   * @param offset from the start of the BAR, in bytes
   * @param length in bytes
   */
  public record VfioRegionDmaRange(long offset, long length) {
    static final int SIZE = 16;
  }

  public VfioDeviceFeatureDmaBuf {
    ranges = List.copyOf(ranges);
  }

  /** One without flags. */
  public VfioDeviceFeatureDmaBuf(
      VfioPciRegion region, int openFlags, List<VfioRegionDmaRange> ranges) {
    this(region, openFlags, 0, ranges);
  }

  /** Bytes of the DMABUF. */
  public long length() {
    return ranges.stream().mapToLong(VfioRegionDmaRange::length).sum();
  }

  /** Asks whether the feature is there (VFIO_DEVICE_FEATURE_PROBE). */
  public static byte[] probe() {
    return Structs.allocate(HEADER)
        .putInt(HEADER)
        .putInt(FEATURE_PROBE | FEATURE_GET | FEATURE_DMA_BUF)
        .array();
  }

  public byte[] encode() {
    int size = HEADER + FIXED + VfioRegionDmaRange.SIZE * ranges.size();
    ByteBuffer b = Structs.allocate(size);
    b.putInt(size)
        .putInt(FEATURE_GET | FEATURE_DMA_BUF)
        .putInt(region.index())
        .putInt(openFlags)
        .putInt(flags)
        .putInt(ranges.size());
    ranges.forEach(r -> b.putLong(r.offset()).putLong(r.length()));
    return b.array();
  }
}
