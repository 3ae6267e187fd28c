package dev.peerbar.server.function;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Doorbells in memory shared with the client: stores that no message announces. What they mean is
 * decided on the function's thread alone, which compares the memory with what it has seen. For that
 * thread, but for {@link #rings}.
 */
final class DoorbellPage {
  private static final VarHandle REGISTER =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  /**
   * What a register holds whose next store is to be seen, whatever it is of: no doorbell's value.
   */
  private static final int EXPECTS = 0xdbdb_dbdb;

  /**
   * Registers that are no further apart, in bytes, are compared with all that lies between them.
   */
  private static final int DENSE = 16;

  /** Told of a store, on the function's thread. */
  interface Listener {
    void rung(long offset, int value);
  }

  private final SharedBar memory;
  private final Bar.Doorbells layout;
  private final Listener listener;

  /** Where registers are, whatever lies between two of them. */
  private final long first;

  private final long end;

  /** The registers as they were seen last, at their offsets from the first. */
  private final MemorySegment seen;

  DoorbellPage(SharedBar memory, Bar.Doorbells layout, Listener listener) {
    this.memory = memory;
    this.layout = layout;
    this.listener = listener;
    first = layout.offset();
    long length = (layout.count() - 1L) * layout.stride() + Integer.BYTES;
    end = first + length;
    seen = Arena.ofAuto().allocate(length, Long.BYTES);
  }

  FileDescriptor descriptor() {
    return memory.descriptor();
  }

  Region.Area area() {
    return new Region.Area(layout.offset(), layout.length());
  }

  boolean covers(long offset) {
    return offset >= layout.offset() && offset < layout.offset() + layout.length();
  }

  /** The whole BAR; only the doorbells' pages are shared with the client. */
  MemorySegment memory() {
    return memory.memory();
  }

  long read(long offset, AccessWidth width) {
    return switch (width) {
      case BYTE -> memory().get(ValueLayout.JAVA_BYTE, offset) & 0xffL;
      case WORD -> memory().get(ValueLayout.JAVA_SHORT, offset) & 0xffffL;
      case DWORD -> memory().get(ValueLayout.JAVA_INT, offset) & 0xffff_ffffL;
      case QWORD -> memory().get(ValueLayout.JAVA_LONG, offset);
    };
  }

  /** A store that came as a message; rings before it returns. */
  void write(long offset, AccessWidth width, long value) {
    switch (width) {
      case BYTE -> memory().set(ValueLayout.JAVA_BYTE, offset, (byte) value);
      case WORD -> memory().set(ValueLayout.JAVA_SHORT, offset, (short) value);
      case DWORD -> memory().set(ValueLayout.JAVA_INT, offset, (int) value);
      case QWORD -> memory().set(ValueLayout.JAVA_LONG, offset, value);
    }
    scan();
  }

  /** Sets one register to zero without ringing it, if it is one of these. */
  void clear(long offset) {
    if (isRegister(offset)) {
      REGISTER.setRelease(memory(), offset, 0);
      see(offset, 0);
    }
  }

  /** Has the next store to a register ring even if it changes nothing, if it is one of these. */
  void expect(long offset) {
    // What has been stored and not seen rings anyway.
    if (isRegister(offset)
        && REGISTER.compareAndSet(
            memory(), offset, (int) REGISTER.get(seen, offset - first), EXPECTS)) {
      see(offset, EXPECTS);
    }
  }

  private boolean isRegister(long offset) {
    return offset >= first && offset < end && (offset - first) % layout.stride() == 0;
  }

  /** Sets the whole area to zero without ringing. */
  void clear() {
    memory().asSlice(layout.offset(), layout.length()).fill((byte) 0);
    seen.fill((byte) 0);
  }

  /** Rings what has not been seen yet, and copies the area. */
  byte[] save() {
    scan();
    return memory().asSlice(layout.offset(), layout.length()).toArray(ValueLayout.JAVA_BYTE);
  }

  /** Fills the area without ringing. */
  void restore(byte[] saved) {
    MemorySegment.copy(saved, 0, memory(), ValueLayout.JAVA_BYTE, layout.offset(), saved.length);
    MemorySegment.copy(saved, 0, seen, ValueLayout.JAVA_BYTE, 0, (int) seen.byteSize());
  }

  /**
   * Whether a store may have been made that has not been seen. For any thread: where another one is
   * looking just then, this may be wrong, once.
   */
  boolean rings() {
    return change(first) < end;
  }

  /** Rings what has not been seen yet. Returns whether there was anything. */
  boolean scan() {
    long offset = change(first);
    if (offset >= end) {
      return false;
    }
    while (offset < end) {
      int value = (int) REGISTER.getAcquire(memory(), offset);
      seeBehind(offset);
      if (value != (int) REGISTER.get(seen, offset - first)) {
        see(offset, value);
        listener.rung(offset, value);
      }
      // Not this one again, whatever the client does to it: that is for the next time.
      offset = change(offset + layout.stride());
    }
    return true;
  }

  /** The offset of the first register, from one on, that is not as it was seen, or the end. */
  private long change(long from) {
    return from < end && layout.stride() <= DENSE ? changeOfBytes(from) : changeOfRegisters(from);
  }

  private long changeOfRegisters(long from) {
    for (long offset = from; offset < end; offset += layout.stride()) {
      if ((int) REGISTER.getAcquire(memory(), offset) != (int) REGISTER.get(seen, offset - first)) {
        return offset;
      }
    }
    return end;
  }

  /** As {@link #changeOfRegisters}, many at once; or of one behind which something has changed. */
  private long changeOfBytes(long from) {
    // Or the compiler could take the comparison before this one for this one.
    VarHandle.acquireFence();
    long at = MemorySegment.mismatch(memory(), from, end, seen, from - first, end - first);
    return at < 0 ? end : from + at - at % layout.stride();
  }

  private void see(long offset, int value) {
    REGISTER.set(seen, offset - first, value);
  }

  /** Takes over what lies behind a register: it means nothing, and is no reason to look again. */
  private void seeBehind(long offset) {
    long from = offset + Integer.BYTES;
    long length = Math.min(offset + layout.stride(), end) - from;
    if (length > 0) {
      MemorySegment.copy(memory(), from, seen, from - first, length);
    }
  }
}
