package dev.peerbar.devices.nvme.entry;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A submission queue entry (NVMe 1.4 4.2).
 *
 * @param bytes 64 of them, which nobody changes any more: for the endpoint a copy that the host
 *     cannot reach
 */
public record SubmissionEntry(MemorySegment bytes) {

  public static final int BYTES = 64;
  public static final int BYTES_LOG2 = 6;

  // Offsets in bytes.
  static final int OPCODE = 0;
  static final int FLAGS = 1;
  static final int COMMAND_ID = 2;
  static final int NAMESPACE_ID = 4;
  static final int METADATA_POINTER = 16;

  /** The data pointer: two PRP entries, or one SGL descriptor. */
  public static final int DATA_POINTER = 24;

  static final int PRP2 = 32;

  private static final int FUSE_MASK = 0x3;
  private static final int PSDT_SHIFT = 6;

  static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /**
   * @throws IllegalArgumentException if it is not 64 bytes
   */
  public SubmissionEntry {
    if (bytes.byteSize() != BYTES) {
      throw new IllegalArgumentException(
          "A submission entry has 64 bytes, not %d.".formatted(bytes.byteSize()));
    }
  }

  /** 0 to 255. */
  public int opcode() {
    return Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, OPCODE));
  }

  /** Fused operation: 0 none, 1 first, 2 second. */
  public int fuse() {
    return bytes.get(ValueLayout.JAVA_BYTE, FLAGS) & FUSE_MASK;
  }

  /**
   * PRP or SGL for data transfer: 0 PRPs, 1 SGL with a contiguous metadata buffer, 2 SGL with an
   * SGL for metadata, 3 reserved.
   */
  public int psdt() {
    return Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, FLAGS)) >>> PSDT_SHIFT;
  }

  /** 0 to 65535. */
  public int commandId() {
    return Short.toUnsignedInt(bytes.get(SHORT, COMMAND_ID));
  }

  /** 32 bits. */
  public int namespaceId() {
    return bytes.get(INT, NAMESPACE_ID);
  }

  public long metadataPointer() {
    return bytes.get(LONG, METADATA_POINTER);
  }

  public long prp1() {
    return bytes.get(LONG, DATA_POINTER);
  }

  public long prp2() {
    return bytes.get(LONG, PRP2);
  }

  /**
   * @param index 0 to 15; 10 to 15 are command specific
   */
  public int dword(int index) {
    return bytes.get(INT, (long) index * Integer.BYTES);
  }

  /** Two command dwords as one number, such as the starting LBA of dwords 10 and 11. */
  public long qword(int firstDword) {
    return bytes.get(LONG, (long) firstDword * Integer.BYTES);
  }

  /** The same entry in 64 bytes that are nobody else's. */
  public SubmissionEntry copy() {
    return new SubmissionEntry(MemorySegment.ofArray(bytes.toArray(ValueLayout.JAVA_BYTE)));
  }

  public static Builder builder(AdminOpcode opcode) {
    return new Builder(opcode.code());
  }

  public static Builder builder(IoOpcode opcode) {
    return new Builder(opcode.code());
  }

  /**
   * @param opcode 0 to 255, whether the endpoint has it or not
   */
  public static Builder builder(int opcode) {
    return new Builder(opcode);
  }

  /** What a driver fills in; all else is zero. For one thread. */
  public static final class Builder {
    private final MemorySegment bytes = MemorySegment.ofArray(new byte[BYTES]);

    private Builder(int opcode) {
      bytes.set(ValueLayout.JAVA_BYTE, OPCODE, (byte) opcode);
    }

    public Builder fuse(int fuse) {
      return flags(fuse & FUSE_MASK, FUSE_MASK);
    }

    public Builder psdt(int psdt) {
      return flags(psdt << PSDT_SHIFT, ~0 << PSDT_SHIFT);
    }

    private Builder flags(int value, int mask) {
      int flags = bytes.get(ValueLayout.JAVA_BYTE, FLAGS) & ~mask | value;
      bytes.set(ValueLayout.JAVA_BYTE, FLAGS, (byte) flags);
      return this;
    }

    public Builder commandId(int commandId) {
      bytes.set(SHORT, COMMAND_ID, (short) commandId);
      return this;
    }

    public Builder namespaceId(int namespaceId) {
      bytes.set(INT, NAMESPACE_ID, namespaceId);
      return this;
    }

    public Builder metadataPointer(long pointer) {
      bytes.set(LONG, METADATA_POINTER, pointer);
      return this;
    }

    public Builder prp1(long address) {
      bytes.set(LONG, DATA_POINTER, address);
      return this;
    }

    public Builder prp2(long address) {
      bytes.set(LONG, PRP2, address);
      return this;
    }

    /**
     * @param index 0 to 15
     */
    public Builder dword(int index, int value) {
      bytes.set(INT, (long) index * Integer.BYTES, value);
      return this;
    }

    /** Two dwords as one number. */
    public Builder qword(int firstDword, long value) {
      bytes.set(LONG, (long) firstDword * Integer.BYTES, value);
      return this;
    }

    public SubmissionEntry build() {
      return new SubmissionEntry(bytes).copy();
    }
  }
}
