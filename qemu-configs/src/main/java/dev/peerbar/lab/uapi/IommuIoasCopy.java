package dev.peerbar.lab.uapi;

import java.util.Set;

/**
 * {@code struct iommu_ioas_copy}: what is mapped in an IOAS into another, or once more into the
 * same.
 *
 * @param flags how
 * @param destination the IOAS it comes to
 * @param source the IOAS it is mapped in
 * @param length in bytes
 * @param destinationIova where it comes to; an answer unless it is fixed
 * @param sourceIova where it is
 */
public record IommuIoasCopy(
    Set<IommuIoasMapFlag> flags,
    int destination,
    int source,
    long length,
    long destinationIova,
    long sourceIova) {
  public static final int SIZE = 40;
  private static final int DESTINATION_IOVA = 24;

  public IommuIoasCopy {
    flags = Set.copyOf(flags);
  }

  public byte[] encode() {
    return Structs.allocate(SIZE)
        .putInt(SIZE)
        .putInt(IommuIoasMapFlag.mask(flags))
        .putInt(destination)
        .putInt(source)
        .putLong(length)
        .putLong(destinationIova)
        .putLong(sourceIova)
        .array();
  }

  /** Where it came to, from the argument after the call. */
  public static long iova(byte[] bytes) {
    return Structs.wrap(bytes).getLong(DESTINATION_IOVA);
  }
}
