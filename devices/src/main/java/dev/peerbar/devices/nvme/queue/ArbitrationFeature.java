package dev.peerbar.devices.nvme.queue;

/**
 * The Arbitration feature (NVMe 1.4 5.21.1.1).
 *
 * @param burstLog2 0 to 6 for 2^n commands taken from a queue at a time, 7 for no limit
 * @param lowWeight 0 to 255, 0's based, like the other weights
 */
public record ArbitrationFeature(int burstLog2, int lowWeight, int mediumWeight, int highWeight) {

  public static final int NO_LIMIT = 7;

  /** Bursts of 8, equal weights. */
  public static final ArbitrationFeature DEFAULT = new ArbitrationFeature(3, 0, 0, 0);

  private static final int BURST_MASK = 0x7;
  private static final int LOW_SHIFT = 8;
  private static final int MEDIUM_SHIFT = 16;
  private static final int HIGH_SHIFT = 24;
  private static final int WEIGHT_MASK = 0xff;

  /**
   * @param dword11 of Set Features; reserved bits are not looked at
   */
  public static ArbitrationFeature of(int dword11) {
    return new ArbitrationFeature(
        dword11 & BURST_MASK,
        dword11 >>> LOW_SHIFT & WEIGHT_MASK,
        dword11 >>> MEDIUM_SHIFT & WEIGHT_MASK,
        dword11 >>> HIGH_SHIFT & WEIGHT_MASK);
  }

  /** As Get Features gives it. */
  public int dword() {
    return burstLog2
        | lowWeight << LOW_SHIFT
        | mediumWeight << MEDIUM_SHIFT
        | highWeight << HIGH_SHIFT;
  }
}
