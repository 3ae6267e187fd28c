package dev.peerbar.server.dma;

/**
 * Finds the extents of one job, which mostly goes on where it was. For the engine's thread, inside
 * the {@link Gate}.
 */
final class Cursor {
  private final DmaTable table;
  private final Runs.Position position;
  private final Extent extent = new Extent();
  private boolean found;
  private long seen;

  Cursor(DmaTable table) {
    this.table = table;
    position = table.position();
  }

  /** The extent that covers an address, or null; good until this is called again. */
  Extent at(long address) {
    long changes = table.changes();
    if (found && seen == changes) {
      // Page by page this is half of what a copy costs beside the copying: so it takes a short way.
      if (extent.covers(address) || position.goOn(address, extent)) {
        return extent;
      }
    }
    seen = changes;
    found = table.find(address, position, extent);
    return found ? extent : null;
  }
}
