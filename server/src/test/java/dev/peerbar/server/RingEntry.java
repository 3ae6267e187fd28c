package dev.peerbar.server;

import java.lang.foreign.MemorySegment;

/** An entry of an HBM descriptor ring, as a driver writes it. */
record RingEntry(
    int opcode, int flags, long source, long destination, long length, long record, long pattern) {
  static final int BYTES = 64;

  private static final int NOP = 0;
  private static final int COPY = 1;
  private static final int FILL = 2;
  private static final int INTERRUPT = 1;
  private static final int RECORD = 1 << 1;
  private static final int FROM_BAR = 1 << 2;
  private static final int TO_BAR = 1 << 3;

  static RingEntry nop() {
    return new RingEntry(NOP, INTERRUPT, 0, 0, 0, 0, 0);
  }

  /** Copies and interrupts; IOVAs unless said otherwise. */
  static RingEntry copy(long source, long destination, long length) {
    return new RingEntry(COPY, INTERRUPT, source, destination, length, 0, 0);
  }

  static RingEntry fill(long pattern, long destination, long length) {
    return new RingEntry(FILL, INTERRUPT, 0, destination, length, 0, pattern);
  }

  /** The source is an offset in BAR 2. */
  RingEntry fromBar() {
    return with(flags | FROM_BAR);
  }

  /** The destination is an offset in BAR 2. */
  RingEntry toBar() {
    return with(flags | TO_BAR);
  }

  /** Does not interrupt. */
  RingEntry silent() {
    return with(flags & ~INTERRUPT);
  }

  RingEntry recorded(long iova) {
    return new RingEntry(opcode, flags | RECORD, source, destination, length, iova, pattern);
  }

  private RingEntry with(int newFlags) {
    return new RingEntry(opcode, newFlags, source, destination, length, record, pattern);
  }

  void store(MemorySegment ring, int index) {
    MemorySegment entry = ring.asSlice((long) index * BYTES, BYTES);
    entry.fill((byte) 0);
    entry.set(GuestMemory.INT, 0, opcode);
    entry.set(GuestMemory.INT, 4, flags);
    entry.set(GuestMemory.LONG, 8, source);
    entry.set(GuestMemory.LONG, 16, destination);
    entry.set(GuestMemory.LONG, 24, length);
    entry.set(GuestMemory.LONG, 32, record);
    entry.set(GuestMemory.LONG, 40, pattern);
  }
}
