package dev.peerbar.devices.hbm;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A descriptor as a driver makes it, of the parts that matter: {@code
 * Descriptor.copy(64).from(iova).toLocal(0).interrupt()}; addresses and lengths are unsigned.
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

  /** One that asks for an opcode, whether the endpoint has it or not, and for nothing else yet. */
  public static Descriptor of(int opcode) {
    return new Descriptor(opcode, 0, 0, 0, 0, 0, 0, 0, 0);
  }

  /** Does nothing. */
  public static Descriptor nop() {
    return of(Opcode.NOP.code());
  }

  /** Copies so many bytes {@link #from} somewhere {@link #to} somewhere. */
  public static Descriptor copy(long length) {
    return of(Opcode.COPY.code()).length(length);
  }

  /** Repeats the 8 bytes of a pattern over a length {@link #to} somewhere. */
  public static Descriptor fill(long pattern, long length) {
    return of(Opcode.FILL.code()).pattern(pattern).length(length);
  }

  /** Takes the CRC32C of so many bytes {@link #from} somewhere. */
  public static Descriptor crc32c(long length) {
    return of(Opcode.CRC32C.code()).length(length);
  }

  /**
   * Writes a value {@link #to} somewhere.
   *
   * @param length in bytes, 4 or 8
   */
  public static Descriptor immediate(long value, long length) {
    return of(Opcode.WRITE_IMMEDIATE.code()).pattern(value).length(length);
  }

  /** The same with a source, an IOVA. */
  public Descriptor from(long iova) {
    return new Descriptor(opcode, flags, iova, destination, length, record, pattern, tag, reserved);
  }

  /** The same with a source in the endpoint's memory. */
  public Descriptor fromLocal(long offset) {
    return from(offset).with(SOURCE_IS_LOCAL);
  }

  /** The same with a destination, an IOVA. */
  public Descriptor to(long iova) {
    return new Descriptor(opcode, flags, source, iova, length, record, pattern, tag, reserved);
  }

  /** The same with a destination in the endpoint's memory. */
  public Descriptor toLocal(long offset) {
    return to(offset).with(DESTINATION_IS_LOCAL);
  }

  /** The same with an interrupt at its end. */
  public Descriptor interrupt() {
    return with(INTERRUPT);
  }

  /** The same with a completion record at an IOVA. */
  public Descriptor recordAt(long iova) {
    return new Descriptor(
        opcode, flags | WRITE_RECORD, source, destination, length, iova, pattern, tag, reserved);
  }

  /** The same with a number that its completion record tells. */
  public Descriptor tag(long value) {
    return new Descriptor(
        opcode, flags, source, destination, length, record, pattern, value, reserved);
  }

  /** The same with more flags, whether the endpoint has them or not. */
  public Descriptor with(int moreFlags) {
    return new Descriptor(
        opcode, flags | moreFlags, source, destination, length, record, pattern, tag, reserved);
  }

  /** The same with something in the reserved bytes. */
  public Descriptor reserved(long value) {
    return new Descriptor(opcode, flags, source, destination, length, record, pattern, tag, value);
  }

  private Descriptor length(long value) {
    return new Descriptor(
        opcode, flags, source, destination, value, record, pattern, tag, reserved);
  }

  private Descriptor pattern(long value) {
    return new Descriptor(opcode, flags, source, destination, length, record, value, tag, reserved);
  }
}
