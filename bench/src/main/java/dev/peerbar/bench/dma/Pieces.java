package dev.peerbar.bench.dma;

import dev.peerbar.devices.hbm.HbmRegisters;

/**
 * What one run copies, by one doorbell.
 *
 * @param size of each piece, in bytes, a power of two from 64 to 1048576
 * @param count of pieces, a descriptor each
 */
record Pieces(int size, int count) {
  /** What a run of {@link #ofRun} copies, in MiB. */
  static final int RUN_MIB = 64;

  /** The same in bytes. */
  static final int RUN_BYTES = RUN_MIB << 20;

  /** The most pieces of a {@link #ofChain}: half of HBM's largest ring. */
  static final int CHAIN = 1 << HbmRegisters.LARGEST_RING_LOG2 - 1;

  /**
   * So long that the doorbell and the interrupt do not count: they cost two tenths of a millisecond
   * after a copy that has left nothing of them in the caches.
   */
  private static final long CHAIN_BYTES = 256L << 20;

  /** As many as copy {@link #RUN_MIB} MiB, in pieces of a page or more. */
  static Pieces ofRun(int size) {
    return new Pieces(size, RUN_BYTES / size);
  }

  /** As many as a long chain has. */
  static Pieces ofChain(int size) {
    return new Pieces(size, (int) Math.min(CHAIN, CHAIN_BYTES / size));
  }

  /** All of them. */
  long bytes() {
    return (long) count * size;
  }
}
