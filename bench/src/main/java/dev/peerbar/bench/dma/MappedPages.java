package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Messenger;
import dev.peerbar.bench.fixture.RoundTrip;
import dev.peerbar.bench.fixture.ServedEndpoint;
import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.driver.socket.ClientMemory;
import dev.peerbar.protocol.Header;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryMXBean;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * An endpoint with a mapping for each page of a client's memory, one of which is away now and then.
 */
final class MappedPages implements AutoCloseable {
  /** The IOVA of the first page. */
  static final long BASE = 1L << 32;

  private static final long SEED = 1;

  // Where the fields of the encoded requests are.
  private static final long MAP_OFFSET = Header.SIZE + 8;
  private static final long MAP_ADDRESS = Header.SIZE + 16;
  private static final long UNMAP_ADDRESS = Header.SIZE + 8;

  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final ServedEndpoint endpoint;
  private final Messenger client;
  private final ClientMemory memory;
  private final double heapBytes;
  private final int[] pageOfAddress;
  private final int[] order;
  private final RoundTrip map = DmaOperation.MAP.roundTrip();
  private final RoundTrip unmap = DmaOperation.UNMAP.roundTrip();
  private int at;

  private MappedPages(
      ServedEndpoint endpoint, Messenger client, ClientMemory memory, int count, boolean shuffled)
      throws Exception {
    this.endpoint = endpoint;
    this.client = client;
    this.memory = memory;
    pageOfAddress = shuffled ? shuffle(count) : IntStream.range(0, count).toArray();
    order = shuffle(count);
    long before = heapInUse();
    fill();
    heapBytes = (double) (heapInUse() - before) / count;
  }

  private static long heapInUse() {
    MemoryMXBean memory = ManagementFactory.getMemoryMXBean();
    memory.gc();
    return memory.getHeapMemoryUsage().getUsed();
  }

  /** Maps all pages: none but the last request is replied to. */
  private void fill() throws Exception {
    for (int index = 0; index < count() - 1; index++) {
      set(map.posted(), index);
      client.send(map.posted(), memory.file());
    }
    map(count() - 1);
    int mapped = endpoint.server().function().bus().table().size();
    if (mapped != count()) {
      throw new BenchmarkException("Of %d mappings %d are there.".formatted(count(), mapped));
    }
  }

  /**
   * Serves an endpoint and maps the first pages of a client's memory.
   *
   * @param shuffled whether neighbours by address lie apart in the file
   */
  static MappedPages start(ClientMemory memory, int count, boolean shuffled) throws Exception {
    ServedEndpoint endpoint =
        ServedEndpoint.start("map-" + count, new HbmEndpoint(HbmConfig.DEFAULT));
    return new MappedPages(endpoint, endpoint.connectBare(0), memory, count, shuffled);
  }

  private static int[] shuffle(int count) {
    List<Integer> numbers = new ArrayList<>(IntStream.range(0, count).boxed().toList());
    Collections.shuffle(numbers, new Random(SEED));
    return numbers.stream().mapToInt(Integer::intValue).toArray();
  }

  int count() {
    return order.length;
  }

  /** What a mapping takes of the server's heap, in bytes. */
  double heapBytes() {
    return heapBytes;
  }

  private void set(MemorySegment request, int index) {
    request.set(LONG, MAP_ADDRESS, address(index));
    request.set(LONG, MAP_OFFSET, pageOfAddress[index] * ClientMemory.PAGE);
  }

  private void map(int index) throws Exception {
    set(map.request(), index);
    client.exchange(map.request(), memory.file(), map.reply());
  }

  private void unmap(int index) throws Exception {
    unmap.request().set(LONG, UNMAP_ADDRESS, address(index));
    client.exchange(unmap.request(), null, unmap.reply());
  }

  private static long address(int index) {
    return BASE + index * ClientMemory.PAGE;
  }

  private int next() {
    at = (at + 1) % order.length;
    return order[at];
  }

  /** Maps a page that has just been unmapped, another one each time. */
  Workload mapping() {
    return new Workload() {
      private int index;

      @Override
      public void prepare() throws Exception {
        index = next();
        unmap(index);
      }

      @Override
      public long run() throws Exception {
        map(index);
        return 1;
      }
    };
  }

  /** Unmaps a page, another one each time; the last one is mapped again. */
  Workload unmapping() {
    return new Workload() {
      private int index = -1;

      @Override
      public void prepare() throws Exception {
        if (index >= 0) {
          map(index);
        }
        index = next();
      }

      @Override
      public long run() throws Exception {
        unmap(index);
        return 1;
      }
    };
  }

  @Override
  public void close() throws IOException {
    client.close();
    endpoint.close();
  }
}
