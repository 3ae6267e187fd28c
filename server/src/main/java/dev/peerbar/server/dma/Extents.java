package dev.peerbar.server.dma;

import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * What engines can reach, by IOVA: the {@link DmaTable} as they see it. The function's thread
 * changes it while it holds the {@link Gate}; engines look up inside.
 */
final class Extents {
  private final NavigableMap<Long, Extent> byStart = new TreeMap<>();

  /** Adds a mapping, which overlaps nothing that is here. */
  void add(DmaMapping mapping) {
    Extent added = Extent.of(mapping);
    Map.Entry<Long, Extent> before = byStart.lowerEntry(DmaTable.key(mapping.iova()));
    if (before != null && before.getValue().continuesIn(added)) {
      before.getValue().leaveTable();
      added = before.getValue().join(added);
    }
    Map.Entry<Long, Extent> after = byStart.higherEntry(DmaTable.key(mapping.iova()));
    if (after != null && added.continuesIn(after.getValue())) {
      take(after.getValue());
      added = added.join(after.getValue());
    }
    put(added);
  }

  /**
   * Removes a range.
   *
   * @param last the last address; mappings are inside, or outside
   */
  void remove(long iova, long last) {
    Extent first = find(iova);
    if (first != null) {
      cut(first, iova, last);
      if (Long.compareUnsigned(first.last(), last) >= 0) {
        return;
      }
    }
    NavigableMap<Long, Extent> inside =
        byStart.subMap(DmaTable.key(iova), true, DmaTable.key(last), true);
    for (Extent extent : List.copyOf(inside.values())) {
      cut(extent, iova, last);
    }
  }

  void clear() {
    byStart.values().forEach(Extent::leaveTable);
    byStart.clear();
  }

  /** The extent that covers an address, or null. */
  Extent find(long address) {
    Map.Entry<Long, Extent> entry = byStart.floorEntry(DmaTable.key(address));
    return entry != null && entry.getValue().covers(address) ? entry.getValue() : null;
  }

  /** Leaves of an extent what lies outside a range. */
  private void cut(Extent extent, long iova, long last) {
    take(extent);
    if (Long.compareUnsigned(extent.iova(), iova) < 0) {
      put(extent.part(extent.iova(), iova - 1));
    }
    if (Long.compareUnsigned(extent.last(), last) > 0) {
      put(extent.part(last + 1, extent.last()));
    }
  }

  private void take(Extent extent) {
    byStart.remove(DmaTable.key(extent.iova()));
    extent.leaveTable();
  }

  /** Puts it in its place, and into the chain: who leaves the chain is stale and needs no care. */
  private void put(Extent extent) {
    byStart.put(DmaTable.key(extent.iova()), extent);
    Map.Entry<Long, Extent> before = byStart.lowerEntry(DmaTable.key(extent.iova()));
    if (before != null && before.getValue().last() + 1 == extent.iova()) {
      before.getValue().next(extent);
    }
    Map.Entry<Long, Extent> after = byStart.higherEntry(DmaTable.key(extent.iova()));
    if (after != null && extent.last() + 1 == after.getValue().iova()) {
      extent.next(after.getValue());
    }
  }
}
