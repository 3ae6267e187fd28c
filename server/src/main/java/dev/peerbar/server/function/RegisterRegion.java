package dev.peerbar.server.function;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * A register BAR: accesses become naturally aligned ones of the widest width that fits, which the
 * endpoint answers, but for doorbells in shared memory.
 */
record RegisterRegion(Endpoint endpoint, Bar.Registers bar, Optional<DoorbellPage> doorbells)
    implements Region {

  @Override
  public long size() {
    return bar.size();
  }

  @Override
  public void read(long offset, ByteBuffer into) {
    for (long at = offset; into.hasRemaining(); ) {
      AccessWidth width = AccessWidth.widestAt(at, into.remaining());
      long value =
          shared(at)
              ? doorbells.orElseThrow().read(at, width)
              : endpoint.read(bar.index(), at, width);
      put(into, width, value);
      at += width.bytes();
    }
  }

  @Override
  public void write(long offset, ByteBuffer from) {
    for (long at = offset; from.hasRemaining(); ) {
      AccessWidth width = AccessWidth.widestAt(at, from.remaining());
      long value = get(from, width);
      if (shared(at)) {
        doorbells.orElseThrow().write(at, width, value);
      } else {
        endpoint.write(bar.index(), at, width, value);
      }
      at += width.bytes();
    }
  }

  private boolean shared(long offset) {
    return doorbells.isPresent() && doorbells.get().covers(offset);
  }

  private static void put(ByteBuffer into, AccessWidth width, long value) {
    switch (width) {
      case BYTE -> into.put((byte) value);
      case WORD -> into.putShort((short) value);
      case DWORD -> into.putInt((int) value);
      case QWORD -> into.putLong(value);
    }
  }

  private static long get(ByteBuffer from, AccessWidth width) {
    return switch (width) {
      case BYTE -> from.get() & 0xffL;
      case WORD -> from.getShort() & 0xffffL;
      case DWORD -> from.getInt() & 0xffff_ffffL;
      case QWORD -> from.getLong();
    };
  }

  @Override
  public Optional<Sharing> sharing() {
    return doorbells.map(page -> new Sharing(page.descriptor(), List.of(page.area())));
  }
}
