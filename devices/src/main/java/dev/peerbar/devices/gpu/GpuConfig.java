package dev.peerbar.devices.gpu;

/**
 * What can be chosen about a virtio-gpu device.
 *
 * @param outputs displays, 1 to 16 (Virtual I/O Device 1.3, 5.7.4.1)
 * @param size the mode that each of them prefers
 */
public record GpuConfig(int outputs, DisplaySize size) {
  /** VIRTIO_GPU_MAX_SCANOUTS. */
  static final int MOST_OUTPUTS = 16;

  public static final GpuConfig DEFAULT = new GpuConfig(1, new DisplaySize(1280, 800));

  /**
   * @throws IllegalArgumentException with one sentence that says what is out of range
   */
  public GpuConfig {
    if (outputs < 1 || outputs > MOST_OUTPUTS) {
      throw new IllegalArgumentException(
          "A virtio-gpu has 1 to %d outputs, not %d.".formatted(MOST_OUTPUTS, outputs));
    }
  }
}
