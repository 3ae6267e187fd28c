package dev.peerbar.driver;

import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Memory that a driver's processor and its device both reach: RAM, or a device's BAR. Offsets and
 * lengths are in bytes.
 *
 * @param memory as the processor sees it
 * @param offset of the first byte in there
 * @param iova of the first byte as the device sees it
 * @param length in bytes
 */
public record DmaRange(Memory memory, long offset, long iova, long length) implements Memory {

  public DmaRange {
    Objects.checkFromIndexSize(offset, length, memory.length());
  }

  /** All of some memory. */
  public static DmaRange of(Memory memory, long iova) {
    return new DmaRange(memory, 0, iova, memory.length());
  }

  /** A part. */
  public DmaRange slice(long from, long count) {
    Objects.checkFromIndexSize(from, count, length);
    return new DmaRange(memory, offset + from, iova + from, count);
  }

  @Override
  public long load(long from, AccessWidth width) throws IOException {
    return memory.load(at(from, width.bytes()), width);
  }

  @Override
  public void store(long from, AccessWidth width, long value) throws IOException {
    memory.store(at(from, width.bytes()), width, value);
  }

  @Override
  public byte[] read(long from, int count) throws IOException {
    return memory.read(at(from, count), count);
  }

  @Override
  public void write(long from, byte[] bytes) throws IOException {
    memory.write(at(from, bytes.length), bytes);
  }

  @Override
  public void read(long from, MemorySegment into) throws IOException {
    memory.read(at(from, into.byteSize()), into);
  }

  @Override
  public void write(long from, MemorySegment bytes) throws IOException {
    memory.write(at(from, bytes.byteSize()), bytes);
  }

  @Override
  public void fill(long from, long count, byte value) throws IOException {
    memory.fill(at(from, count), count, value);
  }

  /** Zeroes all of it. */
  public void clear() throws IOException {
    fill(0, length, (byte) 0);
  }

  /**
   * The same bytes, for whoever is in the process that has them.
   *
   * @throws ClassCastException if that is another
   */
  public MemorySegment segment() {
    return ((SegmentMemory) memory).segment().asSlice(offset, length);
  }

  private long at(long from, long count) {
    Objects.checkFromIndexSize(from, count, length);
    return offset + from;
  }
}
