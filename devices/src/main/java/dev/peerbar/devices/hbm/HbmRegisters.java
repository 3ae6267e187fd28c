package dev.peerbar.devices.hbm;

/**
 * Where things are in the BARs: for the endpoint and for those who drive one. The register map in
 * docs/hbm.md has the same names.
 */
public final class HbmRegisters {
  public static final int BAR = 0;
  public static final long BAR_SIZE = 64 << 10;

  public static final int MEMORY_BAR = 2;

  public static final int MSIX_BAR = 4;
  public static final long MSIX_BAR_SIZE = 16 << 10;
  public static final long MSIX_TABLE = 0;
  public static final long MSIX_PENDING = 0x2000;

  public static final long ID = 0x0000;
  public static final long VERSION = 0x0004;
  public static final long CAPS = 0x0008;
  public static final long STATUS = 0x000c;
  public static final long MEM_SIZE = 0x0010;
  public static final long RESET_COUNT = 0x0018;
  public static final long SCRATCH = 0x001c;
  public static final long FAULT_ADDR = 0x0020;
  public static final long FAULT = 0x0028;

  public static final long CHANNELS = 0x1000;
  public static final long CHANNEL_STRIDE = 0x100;

  public static final long CTRL = 0x00;
  public static final long STATE = 0x04;
  public static final long RING_BASE = 0x08;
  public static final long RING_SIZE = 0x10;
  public static final long HEAD = 0x14;
  public static final long ERROR = 0x18;
  public static final long VECTOR = 0x1c;
  public static final long COMPLETED = 0x20;

  public static final long DOORBELLS = 0x8000;
  public static final long DOORBELLS_LENGTH = 0x1000;
  public static final int DOORBELL_STRIDE = 0x100;

  public static final long ID_VALUE = 0x4d424850;
  public static final long VERSION_VALUE = 0x0001_0000;
  public static final int CAPS_RING_SHIFT = 8;
  public static final int LARGEST_RING_LOG2 = 15;

  public static final int STATUS_READY = 1;
  public static final int STATUS_RUNNING = 1 << 1;
  public static final int STATUS_FAULT = 1 << 2;

  public static final int CTRL_ENABLE = 1;
  public static final int CTRL_ABORT = 1 << 1;

  public static final int FAULT_LATCHED = 1;
  public static final int FAULT_CHANNEL_SHIFT = 8;
  public static final int FAULT_ERROR_SHIFT = 16;

  private HbmRegisters() {}

  /** Offset of channel {@code index}'s registers. */
  public static long channel(int index) {
    return CHANNELS + index * CHANNEL_STRIDE;
  }

  /** Offset of channel {@code index}'s TAIL. */
  public static long doorbell(int index) {
    return DOORBELLS + (long) index * DOORBELL_STRIDE;
  }
}
