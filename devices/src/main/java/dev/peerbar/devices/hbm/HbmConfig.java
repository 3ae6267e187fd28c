package dev.peerbar.devices.hbm;

import dev.peerbar.pci.DoorbellMode;

/**
 * What can be chosen about an HBM endpoint.
 *
 * @param barSize of the memory behind BAR 2 in bytes, a power of two from 1 MiB to 64 GiB
 * @param channels DMA channels, 1 to 16
 * @param scrubOnReset whether every kind of reset zeroes the memory
 */
public record HbmConfig(long barSize, int channels, DoorbellMode doorbells, boolean scrubOnReset) {

  private static final long SMALLEST_BAR = 1L << 20;
  private static final long LARGEST_BAR = 1L << 36;
  static final int MOST_CHANNELS = 16;

  /** 256 MiB, 4 channels, trapped doorbells, memory kept on reset. */
  public static final HbmConfig DEFAULT = new HbmConfig(256L << 20, 4, DoorbellMode.TRAP, false);

  /**
   * @throws IllegalArgumentException with one sentence that says what is out of range
   */
  public HbmConfig {
    if (barSize < SMALLEST_BAR || barSize > LARGEST_BAR || Long.bitCount(barSize) != 1) {
      throw new IllegalArgumentException(
          "The size of the memory BAR is a power of two from 1 MiB to 64 GiB, not %d bytes."
              .formatted(barSize));
    }
    if (channels < 1 || channels > MOST_CHANNELS) {
      throw new IllegalArgumentException(
          "An HBM endpoint has 1 to 16 channels, not %d.".formatted(channels));
    }
  }
}
