package dev.peerbar.devices.gpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The part of a request whose size its type says: little-endian, at the offsets that the structs of
 * Virtual I/O Device 1.3, 5.7.6 have. Valid until the next request is read.
 */
record Fields(MemorySegment bytes) {
  static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  int word(int offset) {
    return bytes.get(INT, offset);
  }

  /** Zero-extended: sizes and coordinates are added without a thought. */
  long unsigned(int offset) {
    return Integer.toUnsignedLong(word(offset));
  }

  long doubleWord(int offset) {
    return bytes.get(LONG, offset);
  }

  Rectangle rectangle(int offset) {
    return new Rectangle(
        unsigned(offset), unsigned(offset + 4), unsigned(offset + 8), unsigned(offset + 12));
  }
}
