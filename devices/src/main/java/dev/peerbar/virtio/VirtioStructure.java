package dev.peerbar.virtio;

/**
 * The structures of a virtio function, by the {@code cfg_type} of the capability that says where
 * each is (Virtual I/O Device 1.3, 4.1.4).
 */
public enum VirtioStructure {
  COMMON(1),
  NOTIFY(2),
  ISR(3),
  DEVICE(4),

  /** No structure, but a window to the others in config space (4.1.4.9). */
  PCI(5);

  private final int code;

  VirtioStructure(int code) {
    this.code = code;
  }

  /** The value of {@code cfg_type}. */
  public int code() {
    return code;
  }
}
