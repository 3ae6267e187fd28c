package dev.peerbar.devices.hbm;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A descriptor as a driver writes it; addresses and lengths are unsigned.
 *
 * @param source IOVA, or offset in the memory with {@link #SOURCE_IS_LOCAL}
 * @param destination IOVA, or offset in the memory with {@link #DESTINATION_IS_LOCAL}
 * @param length in bytes
 * @param record IOVA of the completion record
 * @param pattern of a fill, or the immediate of a write
 */
public record Descriptor(
    int opcode,
    int flags,
    long source,
    long destination,
    long length,
    long record,
    long pattern,
    long tag,
    long reserved) {

  public static final int BYTES = 64;

  static final long OPCODE = 0;
  static final long FLAGS = 4;
  static final long SOURCE = 8;
  static final long DESTINATION = 16;
  static final long LENGTH = 24;
  static final long RECORD = 32;
  static final long PATTERN = 40;
  static final long TAG = 48;
  static final long RESERVED = 56;

  public static final int INTERRUPT = 1;
  public static final int WRITE_RECORD = 1 << 1;
  public static final int SOURCE_IS_LOCAL = 1 << 2;
  public static final int DESTINATION_IS_LOCAL = 1 << 3;

  /** Asks for what holds anyway: descriptors of a channel run one after the other. */
  public static final int FENCE = 1 << 4;

  static final int ALL_FLAGS =
      INTERRUPT | WRITE_RECORD | SOURCE_IS_LOCAL | DESTINATION_IS_LOCAL | FENCE;

  static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Writes the descriptor at {@code offset} of a segment that is 8-byte aligned. */
  public void put(MemorySegment ring, long offset) {
    ring.set(INT, offset + OPCODE, opcode);
    ring.set(INT, offset + FLAGS, flags);
    ring.set(LONG, offset + SOURCE, source);
    ring.set(LONG, offset + DESTINATION, destination);
    ring.set(LONG, offset + LENGTH, length);
    ring.set(LONG, offset + RECORD, record);
    ring.set(LONG, offset + PATTERN, pattern);
    ring.set(LONG, offset + TAG, tag);
    ring.set(LONG, offset + RESERVED, reserved);
  }
}
