package dev.peerbar.lab.uapi;

import java.util.Set;

/**
 * {@code struct vfio_iommu_type1_dma_map}: memory of the calling process into a container.
 *
 * @param flags what functions may do
 * @param userAddress first byte
 * @param iova where functions see it
 * @param length in bytes
 */
public record VfioDmaMap(Set<Flag> flags, long userAddress, long iova, long length) {
  private static final int SIZE = 32;

  /** {@code VFIO_DMA_MAP_FLAG_*}. */
  public enum Flag {
    READ(1),
    WRITE(1 << 1);

    private final int bit;

    Flag(int bit) {
      this.bit = bit;
    }
  }

  public VfioDmaMap {
    flags = Set.copyOf(flags);
  }

  public byte[] encode() {
    return Structs.allocate(SIZE)
        .putInt(SIZE)
        .putInt(flags.stream().mapToInt(f -> f.bit).sum())
        .putLong(userAddress)
        .putLong(iova)
        .putLong(length)
        .array();
  }
}
