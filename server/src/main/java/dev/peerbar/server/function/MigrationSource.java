package dev.peerbar.server.function;

import dev.peerbar.server.function.MigrationStream.Section;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Queue;
import java.util.zip.CRC32C;

/**
 * A {@link MigrationStream} on its way out, made piece by piece as it is asked for: first the
 * header, and once the function is stopped all the rest. Memory is read when its turn comes.
 */
final class MigrationSource {

  /** How far the stream has come; what is pending goes out before the next phase begins. */
  private enum Phase {
    HEADER,
    MEMORY,
    END,
    CHECKSUM
  }

  private final MigrationParts parts;
  private final Iterator<Map.Entry<Integer, SharedBar>> bars;
  private final CRC32C checksum = new CRC32C();
  private final Queue<ByteBuffer> pending = new ArrayDeque<>();
  private Phase phase = Phase.HEADER;

  /** The BAR whose memory goes out, from {@code at} to {@code extentEnd}; null before the first. */
  private Map.Entry<Integer, SharedBar> bar;

  private long at;
  private long extentEnd;

  MigrationSource(MigrationParts parts) {
    this.parts = parts;
    bars = parts.memories().entrySet().iterator();
    pending.add(ByteBuffer.wrap(parts.header()));
  }

  /** The function is stopped: its state follows the header. */
  void functionStopped() {
    List<MigrationParts.Slot> slots = parts.slots();
    List<byte[]> contents = parts.save();
    for (int i = 0; i < slots.size(); i++) {
      MigrationParts.Slot slot = slots.get(i);
      pending.add(MigrationStream.section(slot.type(), slot.index(), 0, contents.get(i).length));
      pending.add(ByteBuffer.wrap(contents.get(i)));
    }
    phase = Phase.MEMORY;
  }

  /**
   * Fills the buffer as far as there is anything to send now.
   *
   * @return bytes put
   */
  int read(ByteBuffer into) {
    int start = into.position();
    while (into.hasRemaining() && findMore()) {
      int from = into.position();
      if (pending.isEmpty()) {
        readMemory(into);
      } else {
        readPending(into);
      }
      if (phase != Phase.CHECKSUM) {
        checksum.update(into.duplicate().limit(into.position()).position(from));
      }
    }
    return into.position() - start;
  }

  private void readPending(ByteBuffer into) {
    ByteBuffer bytes = pending.element();
    int count = Math.min(bytes.remaining(), into.remaining());
    into.put(bytes.slice(bytes.position(), count));
    bytes.position(bytes.position() + count);
  }

  private void readMemory(ByteBuffer into) {
    int count = (int) Math.min(extentEnd - at, into.remaining());
    MemorySegment.ofBuffer(into.slice(into.position(), count))
        .copyFrom(bar.getValue().memory().asSlice(at, count));
    into.position(into.position() + count);
    at += count;
  }

  /** Whether there is more to send now. */
  private boolean findMore() {
    while (!pending.isEmpty() && !pending.element().hasRemaining()) {
      pending.remove();
    }
    if (!pending.isEmpty() || at < extentEnd) {
      return true;
    }
    switch (phase) {
      case HEADER, CHECKSUM -> {
        return false;
      }
      case MEMORY -> findExtent();
      case END -> {
        phase = Phase.CHECKSUM;
        pending.add(
            ByteBuffer.allocate(MigrationStream.CHECKSUM_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0, (int) checksum.getValue()));
      }
    }
    return true;
  }

  /** Goes on to the next memory that is no hole, or to the end. */
  private void findExtent() {
    while (bar != null || bars.hasNext()) {
      if (bar == null) {
        bar = bars.next();
      }
      OptionalLong data = bar.getValue().nextData(extentEnd);
      if (data.isPresent()) {
        at = data.getAsLong();
        extentEnd = bar.getValue().nextHole(at);
        if (extentEnd == at) {
          // The client gave the memory back just now.
          continue;
        }
        pending.add(MigrationStream.section(Section.MEMORY, bar.getKey(), at, extentEnd - at));
        return;
      }
      bar = null;
      at = 0;
      extentEnd = 0;
    }
    phase = Phase.END;
    pending.add(MigrationStream.section(Section.END, 0, 0, MigrationStream.CHECKSUM_BYTES));
  }
}
