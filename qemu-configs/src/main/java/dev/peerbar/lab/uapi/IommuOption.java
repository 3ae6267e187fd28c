package dev.peerbar.lab.uapi;

/**
 * {@code struct iommu_option} that sets an option.
 *
 * @param option {@code IOMMU_OPTION_*}
 * @param objectId what it is an option of
 * @param value of it
 */
public record IommuOption(int option, int objectId, long value) {
  public static final int SIZE = 24;

  /** Whether an IOAS is mapped with huge pages where it can be: 0 or 1. */
  public static final int HUGE_PAGES = 1;

  private static final short SET = 0;

  public byte[] encode() {
    return Structs.allocate(SIZE)
        .putInt(SIZE)
        .putInt(option)
        .putShort(SET)
        .putShort((short) 0)
        .putInt(objectId)
        .putLong(value)
        .array();
  }
}
