package dev.peerbar.server.dma;

/**
 * Finds the extents of one job, which mostly goes on where it was. For the engine's thread, inside
 * the {@link Gate}.
 */
final class Cursor {
  private final DmaTable table;
  private Extent last;

  // The one after the last, and where it begins: looked at early, so that it comes from memory
  // while the bytes of the last one are being copied.
  private Extent ahead;
  private long aheadStart;

  Cursor(DmaTable table) {
    this.table = table;
  }

  /** The extent that covers an address, or null. */
  Extent at(long address) {
    if (last != null && !last.stale() && last.covers(address)) {
      return last;
    }
    Extent found = ahead;
    if (found == null || aheadStart != address || found.stale()) {
      found = table.find(address);
    }
    last = found;
    ahead = found == null ? null : found.next();
    aheadStart = ahead == null ? 0 : ahead.iova();
    return found;
  }
}
