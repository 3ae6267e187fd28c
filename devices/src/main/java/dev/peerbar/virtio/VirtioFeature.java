package dev.peerbar.virtio;

/** Feature bits that are not of a device type, as masks (Virtual I/O Device 1.3, chapter 6). */
public final class VirtioFeature {
  /** A request may be a table of descriptors elsewhere in memory (2.7.5.3). */
  public static final long INDIRECT_DESC = 1L << 28;

  /** Notifications and interrupts are asked for by index (2.7.7, 2.7.10). */
  public static final long EVENT_IDX = 1L << 29;

  /** The interface is that of version 1.0 or later. */
  public static final long VERSION_1 = 1L << 32;

  /** The driver gives addresses that are the device's, IOVAs, and not the processor's. */
  public static final long ACCESS_PLATFORM = 1L << 33;

  /** A single queue can be reset (2.6.1). */
  public static final long RING_RESET = 1L << 40;

  /** What this transport offers beside what the device does. */
  public static final long TRANSPORT =
      INDIRECT_DESC | EVENT_IDX | VERSION_1 | ACCESS_PLATFORM | RING_RESET;

  /**
   * Those that a driver has to take. Without VERSION_1 it speaks another language; without
   * ACCESS_PLATFORM it may give addresses that mean something else behind an IOMMU (6.2 allows to
   * refuse both).
   */
  static final long REQUIRED = VERSION_1 | ACCESS_PLATFORM;

  /** Bits 0 to 23, and 50 and above: a device type's (2.2). */
  static final long DEVICE = (1L << 24) - 1 | -1L << 50;

  private VirtioFeature() {}
}
