package dev.peerbar.server.function;

import dev.peerbar.pci.InvalidStateException;
import dev.peerbar.server.function.MigrationStream.Section;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * A {@link MigrationStream} on its way in, in pieces of any size. Judges what it can as it arrives;
 * nothing is allocated for a length that has not been judged. Small parts are kept until the end.
 * Memory goes where it belongs at once: there may be more of it than could be kept.
 */
final class MigrationSink {

  private enum Phase {
    HEADER,
    SECTION,
    SMALL_PART,
    MEMORY,
    CHECKSUM,
    DONE
  }

  private final MigrationParts parts;
  private final byte[] header;
  private final List<MigrationParts.Slot> slots;
  private final List<byte[]> contents = new ArrayList<>();
  private final CRC32C checksum = new CRC32C();
  private final ByteBuffer section = buffer(MigrationStream.SECTION_BYTES);
  private final ByteBuffer sum = buffer(MigrationStream.CHECKSUM_BYTES);

  private Phase phase = Phase.HEADER;
  private int headerSeen;
  private ByteBuffer smallPart;
  private MemorySegment memory;
  private long at;
  private long extentEnd;
  private int lastBar;
  private boolean memoryTouched;
  private boolean refused;

  MigrationSink(MigrationParts parts) {
    this.parts = parts;
    header = parts.header();
    slots = parts.slots();
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Whether the function's memory is no longer what it was. Nothing else changes here. */
  boolean memoryTouched() {
    return memoryTouched;
  }

  /**
   * Takes the next piece.
   *
   * @throws InvalidStateException if the stream cannot be one of a function like this; so is every
   *     later piece then
   */
  void write(ByteBuffer piece) throws InvalidStateException {
    check(!refused, "The state was refused already");
    try {
      while (piece.hasRemaining()) {
        ByteBuffer taken = piece.duplicate();
        Phase before = phase;
        take(piece);
        if (before != Phase.CHECKSUM) {
          checksum.update(taken.limit(piece.position()));
        }
        if (sum.position() == sum.limit()) {
          endChecksum();
        }
      }
    } catch (InvalidStateException e) {
      refused = true;
      throw e;
    }
  }

  private void take(ByteBuffer piece) throws InvalidStateException {
    switch (phase) {
      case HEADER -> takeHeader(piece);
      case SECTION -> {
        if (fill(section, piece)) {
          beginSection();
          section.clear();
        }
      }
      case SMALL_PART -> {
        if (fill(smallPart, piece)) {
          endSmallPart();
        }
      }
      case MEMORY -> takeMemory(piece);
      case CHECKSUM -> fill(sum, piece);
      case DONE -> throw new InvalidStateException("More follows the end of the state");
    }
  }

  private void takeHeader(ByteBuffer piece) throws InvalidStateException {
    byte got = piece.get();
    if (got != header[headerSeen]) {
      throw new InvalidStateException(
          "Not a state that this function can take on: byte %d of the header (%s) is 0x%02x, not 0x%02x"
              .formatted(
                  headerSeen,
                  MigrationStream.field(headerSeen),
                  got & 0xff,
                  header[headerSeen] & 0xff));
    }
    headerSeen++;
    if (headerSeen == header.length) {
      phase = Phase.SECTION;
    }
  }

  /** Moves what fits. Returns whether the buffer is full. */
  private static boolean fill(ByteBuffer buffer, ByteBuffer from) {
    int count = Math.min(buffer.remaining(), from.remaining());
    buffer.put(from.slice(from.position(), count));
    from.position(from.position() + count);
    return !buffer.hasRemaining();
  }

  private void beginSection() throws InvalidStateException {
    Section type =
        MigrationStream.type(section)
            .orElseThrow(() -> new InvalidStateException("A section of an unknown type"));
    int index = section.getInt(MigrationStream.SECTION_INDEX);
    long offset = section.getLong(MigrationStream.SECTION_OFFSET);
    long length = section.getLong(MigrationStream.SECTION_LENGTH);
    if (contents.size() < slots.size()) {
      MigrationParts.Slot slot = slots.get(contents.size());
      check(
          type == slot.type()
              && index == slot.index()
              && offset == 0
              && length >= slot.least()
              && length <= slot.most(),
          "A section %s, not one %s".formatted(described(type, index, offset, length), slot));
      beginSmallPart((int) length);
    } else if (type == Section.MEMORY) {
      beginMemory(index, offset, length);
    } else {
      check(
          type == Section.END
              && index == 0
              && offset == 0
              && length == MigrationStream.CHECKSUM_BYTES,
          "A section %s among memory".formatted(described(type, index, offset, length)));
      touchMemory();
      phase = Phase.CHECKSUM;
    }
  }

  private static String described(Section type, int index, long offset, long length) {
    return "%s %d, 0x%x + 0x%x".formatted(type, index, offset, length);
  }

  private void beginSmallPart(int length) {
    smallPart = buffer(length);
    phase = Phase.SMALL_PART;
    if (length == 0) {
      endSmallPart();
    }
  }

  private void endSmallPart() {
    contents.add(smallPart.array());
    phase = Phase.SECTION;
  }

  private void beginMemory(int index, long offset, long length) throws InvalidStateException {
    SharedBar bar = parts.memories().get(index);
    check(bar != null, "BAR %d has no memory".formatted(index));
    long size = bar.memory().byteSize();
    long least = index == lastBar ? extentEnd : 0;
    check(
        index >= lastBar
            && offset >= least
            && offset < size
            && length > 0
            && length <= size - offset,
        "0x%x + 0x%x of BAR %d, which has 0x%x bytes, after 0x%x of BAR %d"
            .formatted(offset, length, index, size, extentEnd, lastBar));
    touchMemory();
    memory = bar.memory();
    lastBar = index;
    at = offset;
    extentEnd = offset + length;
    phase = Phase.MEMORY;
  }

  /** What the stream leaves out is zero, so all of it is, first. */
  private void touchMemory() {
    if (!memoryTouched) {
      memoryTouched = true;
      parts.zeroMemory();
    }
  }

  private void takeMemory(ByteBuffer piece) {
    int count = (int) Math.min(extentEnd - at, piece.remaining());
    memory
        .asSlice(at, count)
        .copyFrom(MemorySegment.ofBuffer(piece.slice(piece.position(), count)));
    piece.position(piece.position() + count);
    at += count;
    if (at == extentEnd) {
      phase = Phase.SECTION;
    }
  }

  private void endChecksum() throws InvalidStateException {
    check(sum.getInt(0) == (int) checksum.getValue(), "The checksum is wrong");
    sum.clear();
    phase = Phase.DONE;
  }

  /**
   * Ends the stream: the function takes on what it said.
   *
   * @throws InvalidStateException if more should have come, or the function cannot be in that
   *     state; nothing but the memory has changed then
   */
  void complete() throws InvalidStateException {
    check(!refused, "The state was refused already");
    check(phase == Phase.DONE, "The state is incomplete");
    parts.restore(contents);
  }

  private static void check(boolean holds, String otherwise) throws InvalidStateException {
    if (!holds) {
      throw new InvalidStateException(otherwise);
    }
  }
}
