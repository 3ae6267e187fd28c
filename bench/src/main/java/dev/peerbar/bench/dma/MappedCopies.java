package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.DrivenEndpoint;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.socket.ClientMemory;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Copies of one part of a client's memory to another, by endpoints: a doorbell for many
 * descriptors, and the wait for the last one's interrupt. The floor copies the same bytes between
 * the client's own mappings of them.
 *
 * <p>All on one processor, so that nothing an endpoint does beside the copying is left out.
 */
final class MappedCopies implements Closeable {
  static final Placement PLACEMENT = Placement.ONE_CPU;

  /** On either side: more than the caches next to a processor hold. */
  private static final int MEMORY_BYTES = 16 << 20;

  /** HBM's largest ring: twice what a run takes. */
  private static final int ENTRIES = 1 << HbmRegisters.LARGEST_RING_LOG2;

  private final ClientMemory from = new ClientMemory("bench-source", MEMORY_BYTES);
  private final ClientMemory to = new ClientMemory("bench-destination", MEMORY_BYTES);
  private final Map<CopyEngine, DrivenEndpoint<?>> endpoints = new EnumMap<>(CopyEngine.class);
  private final int[] pages =
      Layout.shuffledPages(MEMORY_BYTES).stream().mapToInt(Integer::intValue).toArray();

  private MappedCopies() throws IOException {
    from.bytes().fill((byte) 1);
    to.bytes().fill((byte) 2);
  }

  /** Serves endpoints, and maps the same memory for each in some layouts. */
  static MappedCopies open(List<CopyEngine> engines, Layout... layouts) throws Exception {
    MappedCopies copies = new MappedCopies();
    try {
      for (CopyEngine engine : engines) {
        copies.endpoints.put(engine, PLACEMENT.server(() -> copies.start(engine, layouts)));
      }
    } catch (Exception e) {
      copies.close();
      throw e;
    }
    return copies;
  }

  private DrivenEndpoint<?> start(CopyEngine engine, Layout... layouts) throws IOException {
    return engine.start(
        ENTRIES,
        client -> {
          for (Layout layout : layouts) {
            layout.map(client, from, to);
          }
        });
  }

  /** The same copies by an endpoint that polls, set up anew: its doorbell is a store. */
  PolledCopies polledCopies(Layout layout, Pieces pieces) throws Exception {
    return new PolledCopies(
        PolledRing.start(
            PolledCopies.CHAINS,
            pieces.count(),
            client -> layout.map(client, from, to),
            piece -> layout.copy(offset(pieces, piece), pieces.size())),
        pieces.bytes());
  }

  /** Copies pieces of the memory, from its beginning to its end and again. */
  Workload copies(CopyEngine engine, Layout layout, Pieces pieces) {
    return new Copies(endpoints.get(engine), layout, pieces);
  }

  /** The same without an endpoint. */
  Workload plainCopies(Pieces pieces) {
    return () -> copyPlainly(from.bytes(), to.bytes(), pieces);
  }

  /** Copies pages, in the order in which they lie in {@link Layout#SHUFFLED_PAGES}. */
  Workload pageCopies() {
    return () -> copyPages(from.bytes(), to.bytes(), pages);
  }

  private static long copyPlainly(MemorySegment from, MemorySegment to, Pieces pieces) {
    for (int i = 0; i < pieces.count(); i++) {
      long at = offset(pieces, i);
      MemorySegment.copy(from, at, to, at, pieces.size());
    }
    return pieces.bytes();
  }

  private static long offset(Pieces pieces, int index) {
    return (long) index * pieces.size() % MEMORY_BYTES;
  }

  private static long copyPages(MemorySegment from, MemorySegment to, int[] pages) {
    long length = 0;
    while (length < Pieces.RUN_BYTES) {
      for (int page : pages) {
        long at = page * ClientMemory.PAGE;
        MemorySegment.copy(from, at, to, at, ClientMemory.PAGE);
      }
      length += MEMORY_BYTES;
    }
    return length;
  }

  private record Copies(DrivenEndpoint<?> endpoint, Layout layout, Pieces pieces)
      implements Workload {
    @Override
    public void prepare() throws IOException {
      int last = pieces.count() - 1;
      for (int i = 0; i <= last; i++) {
        layout.copyAhead(endpoint.channel(), i, offset(pieces, i), pieces.size(), i == last);
      }
    }

    @Override
    public long run() throws Exception {
      endpoint.ring(pieces.count());
      endpoint.awaitInterrupt();
      return pieces.bytes();
    }
  }

  @Override
  public void close() throws IOException {
    for (DrivenEndpoint<?> endpoint : endpoints.values()) {
      endpoint.close();
    }
    from.close();
    to.close();
  }
}
