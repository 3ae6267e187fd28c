package dev.peerbar.server.dma;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.server.dma.DmaTable.RefusedException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A {@link DmaTable} as a client changes it. It can be told to keep what the client unmaps, as no
 * endpoint may: such a mapping goes when another one wants its place, or when nothing is to be kept
 * any more. For the function's thread.
 */
public final class KeptMappings {
  /** More are not kept. */
  private static final int MOST = 1 << 14;

  private final DmaTable table;
  private final List<Range> kept = new ArrayList<>();
  private boolean keeping;

  private record Range(long iova, long length) {
    boolean overlaps(long other, long otherLength) {
      return Long.compareUnsigned(other - iova, length) < 0
          || Long.compareUnsigned(iova - other, otherLength) < 0;
    }
  }

  KeptMappings(DmaTable table) {
    this.table = table;
  }

  /** Keeps what is unmapped from now on, or unmaps at last what was kept. */
  public void keep(boolean on) {
    keeping = on;
    if (!on) {
      List<Range> all = List.copyOf(kept);
      kept.clear();
      all.forEach(this::forget);
    }
  }

  /** As {@link DmaTable#map}. */
  public void map(
      long iova,
      long length,
      boolean readable,
      boolean writable,
      long offset,
      Optional<FileDescriptor> descriptor)
      throws RefusedException {
    if (!kept.isEmpty()) {
      List<Range> under = kept.stream().filter(one -> one.overlaps(iova, length)).toList();
      kept.removeAll(under);
      under.forEach(this::forget);
    }
    table.map(iova, length, readable, writable, offset, descriptor);
  }

  /** As {@link DmaTable#unmap}, or not at all. */
  public void unmap(long iova, long length) throws RefusedException {
    if (keeping && kept.size() < MOST) {
      kept.add(new Range(iova, length));
    } else {
      table.unmap(iova, length);
    }
  }

  /** As {@link DmaTable#clear}. */
  public void clear() {
    kept.clear();
    table.clear();
  }

  private void forget(Range range) {
    try {
      table.unmap(range.iova, range.length);
    } catch (RefusedException _) {
      // Nor would it have been unmapped at the time.
    }
  }
}
