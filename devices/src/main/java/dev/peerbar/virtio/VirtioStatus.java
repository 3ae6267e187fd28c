package dev.peerbar.virtio;

/** Bits of the device status (Virtual I/O Device 1.3, 2.1). */
public final class VirtioStatus {
  public static final int ACKNOWLEDGE = 1;
  public static final int DRIVER = 1 << 1;
  public static final int DRIVER_OK = 1 << 2;
  public static final int FEATURES_OK = 1 << 3;

  /** The device's to set: it has met an error that only a reset ends. */
  public static final int DEVICE_NEEDS_RESET = 1 << 6;

  public static final int FAILED = 1 << 7;

  /** What a driver sets. */
  static final int DRIVER_BITS = ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK | FAILED;

  private VirtioStatus() {}
}
