package dev.peerbar.devices.ioat;

/**
 * What can be chosen about an I/OAT endpoint.
 *
 * @param channels DMA channels, 1 to 8; a function of a Skylake server has one
 */
public record IoatConfig(int channels) {
  static final int MOST_CHANNELS = 8;

  public static final IoatConfig DEFAULT = new IoatConfig(1);

  /**
   * @throws IllegalArgumentException with one sentence that says what is out of range
   */
  public IoatConfig {
    if (channels < 1 || channels > MOST_CHANNELS) {
      throw new IllegalArgumentException(
          "An I/OAT endpoint has 1 to %d channels, not %d.".formatted(MOST_CHANNELS, channels));
    }
  }
}
