package dev.peerbar.driver;

import dev.peerbar.pci.AccessWidth;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Memory of this process, or mapped into it.
 *
 * @param segment native, aligned to 8 bytes
 */
public record SegmentMemory(MemorySegment segment) implements Memory {
  private static final VarHandle SHORT =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
  private static final VarHandle INT =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
  private static final VarHandle LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  @Override
  public long length() {
    return segment.byteSize();
  }

  @Override
  public long load(long offset, AccessWidth width) {
    return switch (width) {
      case BYTE -> {
        byte value = segment.get(ValueLayout.JAVA_BYTE, offset);
        VarHandle.acquireFence();
        yield Byte.toUnsignedLong(value);
      }
      case WORD -> Short.toUnsignedLong((short) SHORT.getAcquire(segment, offset));
      case DWORD -> Integer.toUnsignedLong((int) INT.getAcquire(segment, offset));
      case QWORD -> (long) LONG.getAcquire(segment, offset);
    };
  }

  @Override
  public void store(long offset, AccessWidth width, long value) {
    switch (width) {
      case BYTE -> {
        VarHandle.releaseFence();
        segment.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
      }
      case WORD -> SHORT.setRelease(segment, offset, (short) value);
      case DWORD -> INT.setRelease(segment, offset, (int) value);
      case QWORD -> LONG.setRelease(segment, offset, value);
    }
  }

  @Override
  public byte[] read(long offset, int length) {
    return segment.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
  }

  @Override
  public void write(long offset, byte[] bytes) {
    segment.asSlice(offset, bytes.length).copyFrom(MemorySegment.ofArray(bytes));
  }

  @Override
  public void read(long offset, MemorySegment into) {
    MemorySegment.copy(segment, offset, into, 0, into.byteSize());
  }

  @Override
  public void write(long offset, MemorySegment bytes) {
    MemorySegment.copy(bytes, 0, segment, offset, bytes.byteSize());
  }

  @Override
  public void fill(long offset, long length, byte value) {
    segment.asSlice(offset, length).fill(value);
  }
}
