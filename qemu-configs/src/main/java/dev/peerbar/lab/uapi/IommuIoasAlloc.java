package dev.peerbar.lab.uapi;

/** {@code struct iommu_ioas_alloc}. */
public record IommuIoasAlloc() {
  public static final int SIZE = 12;
  private static final int OUT_IOAS_ID = 8;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(0, SIZE).array();
  }

  /** The new IOAS, from the argument after the call. */
  public static int ioasId(byte[] bytes) {
    return Structs.wrap(bytes).getInt(OUT_IOAS_ID);
  }
}
