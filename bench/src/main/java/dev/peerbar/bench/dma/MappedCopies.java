package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.DrivenEndpoint;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.fixture.ServedEndpoint;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.socket.ClientMemory;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Copies of one part of a client's memory to another, by an HBM endpoint: a doorbell for many
 * descriptors, and the wait for the last one's interrupt. The floor copies the same bytes between
 * the client's own mappings of them.
 *
 * <p>All on one processor, so that nothing the endpoint does beside the copying is left out.
 */
final class MappedCopies implements Closeable {
  static final Placement PLACEMENT = Placement.ONE_CPU;

  /** What a run copies, in MiB. */
  static final int RUN_MIB = 64;

  private static final long RUN_BYTES = (long) RUN_MIB << 20;

  /** On either side: more than the caches next to a processor hold. */
  private static final int MEMORY_BYTES = 16 << 20;

  /** How often a run copies all of it. What the doorbell costs is another benchmark's matter. */
  private static final int PASSES = (int) (RUN_BYTES / MEMORY_BYTES);

  /** The largest ring: a run of the smallest copies takes half of it. */
  private static final int ENTRIES = 1 << HbmRegisters.LARGEST_RING_LOG2;

  private final DrivenEndpoint endpoint;
  private final ClientMemory from;
  private final ClientMemory to;
  private final int[] pages =
      Layout.shuffledPages(MEMORY_BYTES).stream().mapToInt(Integer::intValue).toArray();

  private MappedCopies(DrivenEndpoint endpoint, ClientMemory from, ClientMemory to) {
    this.endpoint = endpoint;
    this.from = from;
    this.to = to;
  }

  /** Serves an endpoint and maps the same memory in some layouts. */
  static MappedCopies open(Layout... layouts) throws Exception {
    ClientMemory from = new ClientMemory("bench-source", MEMORY_BYTES);
    ClientMemory to = new ClientMemory("bench-destination", MEMORY_BYTES);
    from.bytes().fill((byte) 1);
    to.bytes().fill((byte) 2);
    DrivenEndpoint endpoint =
        DrivenEndpoint.of(
            PLACEMENT.server(
                () -> ServedEndpoint.start("copy", new HbmEndpoint(HbmConfig.DEFAULT))),
            ENTRIES,
            true,
            client -> {
              for (Layout layout : layouts) {
                layout.map(client, from, to);
              }
            });
    return new MappedCopies(endpoint, from, to);
  }

  /** Copies all of it, in pieces of one size. */
  Workload copies(Layout layout, int size) {
    return new Copies(endpoint, layout, size);
  }

  /** The same without an endpoint. */
  Workload plainCopies(int size) {
    return () -> copyPlainly(from.bytes(), to.bytes(), size);
  }

  /** The same page by page, as they lie in {@link Layout#SHUFFLED_PAGES}. */
  Workload pageCopies() {
    return () -> copyPages(from.bytes(), to.bytes(), pages);
  }

  private static long copyPlainly(MemorySegment from, MemorySegment to, int size) {
    for (int pass = 0; pass < PASSES; pass++) {
      for (long at = 0; at < MEMORY_BYTES; at += size) {
        MemorySegment.copy(from, at, to, at, size);
      }
    }
    return RUN_BYTES;
  }

  private static long copyPages(MemorySegment from, MemorySegment to, int[] pages) {
    for (int pass = 0; pass < PASSES; pass++) {
      for (int page : pages) {
        long at = page * ClientMemory.PAGE;
        MemorySegment.copy(from, at, to, at, ClientMemory.PAGE);
      }
    }
    return RUN_BYTES;
  }

  private record Copies(DrivenEndpoint endpoint, Layout layout, int size) implements Workload {
    @Override
    public void prepare() throws IOException {
      for (int i = 0; i < count(); i++) {
        Descriptor copy = layout.copy((long) i * size % MEMORY_BYTES, size);
        endpoint.channel().putAhead(i, i == count() - 1 ? copy.interrupt() : copy);
      }
    }

    private int count() {
      return (int) (RUN_BYTES / size);
    }

    @Override
    public long run() throws Exception {
      endpoint.ring(count());
      endpoint.awaitInterrupt();
      return RUN_BYTES;
    }
  }

  @Override
  public void close() throws IOException {
    endpoint.close();
    from.close();
    to.close();
  }
}
