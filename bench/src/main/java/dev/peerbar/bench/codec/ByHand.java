package dev.peerbar.bench.codec;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Little-endian fields, written and read by hand at the offsets of the specification's tables: what
 * a codec cannot be faster than. Memory of one thread, which a message of these benchmarks fits.
 */
final class ByHand {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  static final int ROOM = 64;

  private final MemorySegment memory = Arena.ofAuto().allocate(ROOM, Long.BYTES);

  int unsignedShort(long at) {
    return Short.toUnsignedInt(memory.get(SHORT, at));
  }

  int integer(long at) {
    return memory.get(INT, at);
  }

  long wide(long at) {
    return memory.get(LONG, at);
  }

  void put(long at, short value) {
    memory.set(SHORT, at, value);
  }

  void put(long at, int value) {
    memory.set(INT, at, value);
  }

  void put(long at, long value) {
    memory.set(LONG, at, value);
  }
}
