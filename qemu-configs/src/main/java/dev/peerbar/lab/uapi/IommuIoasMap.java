package dev.peerbar.lab.uapi;

import java.util.Set;

/**
 * {@code struct iommu_ioas_map}: memory of the calling process into an IOAS.
 *
 * @param flags how
 * @param ioasId where
 * @param userAddress first byte
 * @param length in bytes
 * @param iova where devices see it; an answer unless it is fixed
 */
public record IommuIoasMap(
    Set<IommuIoasMapFlag> flags, int ioasId, long userAddress, long length, long iova) {
  public static final int SIZE = 40;
  private static final int IOVA = 32;

  public IommuIoasMap {
    flags = Set.copyOf(flags);
  }

  public byte[] encode() {
    return Structs.allocate(SIZE)
        .putInt(SIZE)
        .putInt(IommuIoasMapFlag.mask(flags))
        .putInt(ioasId)
        .putInt(0)
        .putLong(userAddress)
        .putLong(length)
        .putLong(iova)
        .array();
  }

  /** The IOVA, from the argument after the call. */
  public static long iova(byte[] bytes) {
    return Structs.wrap(bytes).getLong(IOVA);
  }
}
