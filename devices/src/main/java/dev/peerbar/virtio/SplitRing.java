package dev.peerbar.virtio;

/**
 * What a split virtqueue looks like in memory (Virtual I/O Device 1.3, 2.7). Offsets and lengths
 * are in bytes; all fields are little-endian.
 */
public final class SplitRing {
  /** The most descriptors of a queue. */
  public static final int MOST = 1 << 15;

  // struct virtq_desc (2.7.5).

  public static final int DESCRIPTOR_BYTES = 16;
  public static final int ADDRESS = 0;
  public static final int LENGTH = 8;
  public static final int FLAGS = 12;
  public static final int NEXT = 14;

  /** Another descriptor follows: that which NEXT names. */
  public static final int F_NEXT = 1;

  /** The device writes the buffer, or else it reads it. */
  public static final int F_WRITE = 1 << 1;

  /** The buffer is a table of descriptors (2.7.5.3). */
  public static final int F_INDIRECT = 1 << 2;

  // struct virtq_avail (2.7.6), the driver's.

  public static final int AVAILABLE_FLAGS = 0;
  public static final int AVAILABLE_INDEX = 2;
  public static final int AVAILABLE_RING = 4;
  public static final int AVAILABLE_ENTRY_BYTES = 2;

  /** The driver wants no interrupt; counts without EVENT_IDX only. */
  public static final int F_NO_INTERRUPT = 1;

  // struct virtq_used (2.7.8), the device's.

  public static final int USED_FLAGS = 0;
  public static final int USED_INDEX = 2;
  public static final int USED_RING = 4;
  public static final int USED_ENTRY_BYTES = 8;

  /** The device wants no notification; counts without EVENT_IDX only. */
  public static final int F_NO_NOTIFY = 1;

  /** Indexes count modulo this. */
  public static final int INDEX_MASK = 0xffff;

  private SplitRing() {}

  /** How long the descriptor table of a queue is. */
  public static long descriptorBytes(int size) {
    return (long) size * DESCRIPTOR_BYTES;
  }

  /** How long the available ring is, with {@code used_event}. */
  public static long availableBytes(int size) {
    return usedEvent(size) + Short.BYTES;
  }

  /** How long the used ring is, with {@code avail_event}. */
  public static long usedBytes(int size) {
    return availableEvent(size) + Short.BYTES;
  }

  /** The offset of {@code used_event} in the available ring. */
  public static long usedEvent(int size) {
    return AVAILABLE_RING + (long) size * AVAILABLE_ENTRY_BYTES;
  }

  /** The offset of {@code avail_event} in the used ring. */
  public static long availableEvent(int size) {
    return USED_RING + (long) size * USED_ENTRY_BYTES;
  }

  /**
   * Whether the one who gave {@code event} is to be told that an index has moved (2.7.7.2,
   * 2.7.10.1): whether it has passed the event.
   *
   * @param event 16 bits, as the others
   * @param from before
   * @param to now
   */
  public static boolean passed(int event, int from, int to) {
    return (to - event - 1 & INDEX_MASK) < (to - from & INDEX_MASK);
  }
}
