package dev.peerbar.server.dma;

/**
 * Finds the extents of one job, which mostly goes on where it was. For the engine's thread, inside
 * the {@link Gate}.
 */
final class Cursor {
  private final DmaTable table;
  private final Runs.Place place;
  private Extent last;
  private long seen;

  Cursor(DmaTable table) {
    this.table = table;
    place = table.place();
  }

  /** The extent that covers an address, or null. */
  Extent at(long address) {
    if (last == null || seen != table.changes() || !last.covers(address)) {
      seen = table.changes();
      last = table.find(address, place);
    }
    return last;
  }
}
