package dev.peerbar.lab.uapi;

import java.util.Set;

/**
 * {@code struct iommu_ioas_map_file}: a memfd or a DMABUF into an IOAS.
 *
 * @param flags how
 * @param ioasId where
 * @param fd the file
 * @param start first byte of the file
 * @param length in bytes
 * @param iova where devices see it; an answer unless it is fixed
 */
public record IommuIoasMapFile(
    Set<IommuIoasMapFlag> flags, int ioasId, int fd, long start, long length, long iova) {
  public static final int SIZE = 40;
  private static final int IOVA = 32;

  public IommuIoasMapFile {
    flags = Set.copyOf(flags);
  }

  public byte[] encode() {
    return Structs.allocate(SIZE)
        .putInt(SIZE)
        .putInt(IommuIoasMapFlag.mask(flags))
        .putInt(ioasId)
        .putInt(fd)
        .putLong(start)
        .putLong(length)
        .putLong(iova)
        .array();
  }

  /** The IOVA, from the argument after the call. */
  public static long iova(byte[] bytes) {
    return Structs.wrap(bytes).getLong(IOVA);
  }
}
