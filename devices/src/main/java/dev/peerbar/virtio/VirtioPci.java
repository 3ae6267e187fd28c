package dev.peerbar.virtio;

/**
 * What a driver finds of a virtio function in config space and in its BARs (Virtual I/O Device 1.3,
 * 4.1). Offsets and lengths are in bytes; all fields are little-endian.
 */
public final class VirtioPci {
  public static final int VENDOR_ID = 0x1af4;

  /** The device ID of type 0; that of another type is as much higher (4.1.2). */
  public static final int DEVICE_ID = 0x1040;

  /** The highest type that there is a device ID for (4.1.2). */
  public static final int LAST_TYPE = 0x3f;

  /** No driver for the interface before version 1.0 binds to it (4.1.2.1). */
  public static final int REVISION = 1;

  // struct virtio_pci_cap (4.1.4), at offsets from the start of the capability.

  public static final int CAP_CFG_TYPE = 3;
  public static final int CAP_BAR = 4;
  public static final int CAP_OFFSET = 8;
  public static final int CAP_LENGTH = 12;
  public static final int CAP_BYTES = 16;

  /** Behind that of the notifications (4.1.4.4). */
  public static final int CAP_NOTIFY_OFF_MULTIPLIER = 16;

  /** Behind that of the window (4.1.4.9). */
  public static final int CAP_PCI_CFG_DATA = 16;

  /** Of the two that have something behind. */
  public static final int CAP_LONGER_BYTES = 20;

  // struct virtio_pci_common_cfg (4.1.4.3), at offsets from the start of the structure.

  public static final int DEVICE_FEATURE_SELECT = 0x00;
  public static final int DEVICE_FEATURE = 0x04;
  public static final int DRIVER_FEATURE_SELECT = 0x08;
  public static final int DRIVER_FEATURE = 0x0c;
  public static final int CONFIG_MSIX_VECTOR = 0x10;
  public static final int NUM_QUEUES = 0x12;
  public static final int DEVICE_STATUS = 0x14;
  public static final int CONFIG_GENERATION = 0x15;
  public static final int QUEUE_SELECT = 0x16;
  public static final int QUEUE_SIZE = 0x18;
  public static final int QUEUE_MSIX_VECTOR = 0x1a;
  public static final int QUEUE_ENABLE = 0x1c;
  public static final int QUEUE_NOTIFY_OFF = 0x1e;
  public static final int QUEUE_DESC = 0x20;
  public static final int QUEUE_DRIVER = 0x28;
  public static final int QUEUE_DEVICE = 0x30;
  public static final int QUEUE_NOTIFY_DATA = 0x38;
  public static final int QUEUE_RESET = 0x3a;
  public static final int ADMIN_QUEUE_INDEX = 0x3c;
  public static final int ADMIN_QUEUE_NUM = 0x3e;
  public static final int COMMON_BYTES = 0x40;

  /** What a vector reads as that is mapped to nothing (4.1.5.1.2). */
  public static final int NO_VECTOR = 0xffff;

  // ISR status (4.1.4.5).

  public static final int ISR_QUEUE = 1;
  public static final int ISR_CONFIGURATION = 1 << 1;

  // Where this endpoint has them, which a driver learns from the capabilities.

  /** Of all structures. */
  static final int BAR = 0;

  static final int BAR_BYTES = 0x4000;
  static final int REGION_BYTES = 0x1000;
  static final int COMMON = 0x0000;
  static final int ISR = 0x1000;
  static final int ISR_BYTES = 4;
  static final int DEVICE = 0x2000;
  static final int NOTIFY = 0x3000;

  /** Between the notifications of two queues. */
  static final int NOTIFY_MULTIPLIER = 4;

  static final int MSIX_BAR = 2;

  private VirtioPci() {}
}
