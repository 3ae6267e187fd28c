package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.CommandQueue;
import dev.peerbar.bench.fixture.DrivenEndpoint;
import dev.peerbar.bench.fixture.MappedDoorbells;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.fixture.ServedEndpoint;
import dev.peerbar.bench.fixture.Serving;
import dev.peerbar.devices.hbm.CompletionRecord;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.client.VfioUserClient;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.function.IntFunction;

/**
 * The ring of an HBM endpoint that polls, full of descriptors that lie ready, and a client over the
 * wire that rings by a store and looks at completion records. A command is so many descriptors, the
 * last of which writes a record; what it is about is its place in the ring. For one thread.
 */
final class PolledRing implements CommandQueue, Closeable {
  /** The client has one processor, the endpoint the other: both look without sleeping. */
  static final Placement PLACEMENT = Placement.TWO_CPUS;

  private static final HbmConfig CONFIG = new HbmConfig(1 << 20, 1, DoorbellMode.MAP, false);
  private static final int CHANNEL = 0;

  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle STATUS = INT.varHandle();

  private final ServedEndpoint endpoint;
  private final SocketDevice device;
  private final MappedDoorbells doorbells;
  private final HbmChannel channel;
  private final MemorySegment ring;
  private final MemorySegment records;
  private final MemorySegment ready;
  private final int length;
  private final int[] slots;
  private int put;
  private int polled;

  private PolledRing(
      ServedEndpoint endpoint,
      VfioUserClient client,
      int commands,
      int length,
      DrivenEndpoint.SetUp more,
      IntFunction<Descriptor> descriptors)
      throws IOException {
    this.endpoint = endpoint;
    this.length = length;
    slots = new int[commands];
    client.negotiate(Capabilities.DEFAULTS);
    device = new SocketDevice(client);
    more.with(client);
    doorbells = MappedDoorbells.map(client, HbmRegisters.BAR);
    DmaRange entries = device.allocate((long) commands * length * Descriptor.BYTES);
    DmaRange written = device.allocate((long) commands * CompletionRecord.BYTES);
    channel = HbmDriver.of(device).channel(CHANNEL, entries, written).enable();
    for (int i = 0; i < commands * length; i++) {
      Descriptor descriptor = descriptors.apply(i % length);
      boolean last = i % length == length - 1;
      long record = written.iova() + (long) i / length * CompletionRecord.BYTES;
      channel.putAhead(i, last ? descriptor.recordAt(record) : descriptor);
    }
    ring = entries.segment();
    records = written.segment();
    ready = Arena.ofAuto().allocate(entries.length(), Long.BYTES).copyFrom(ring);
  }

  /**
   * Serves an endpoint and fills its ring.
   *
   * @param commands that the ring has room for; one fewer may be under way
   * @param length of a command, in descriptors; with {@code commands}, a power of two
   * @param more what is to be set up beside the ring
   * @param descriptors of a command, from 0
   */
  static PolledRing start(
      int commands, int length, DrivenEndpoint.SetUp more, IntFunction<Descriptor> descriptors)
      throws Exception {
    ServedEndpoint endpoint =
        PLACEMENT.server(() ->
            ServedEndpoint.start("polled-hbm", new HbmEndpoint(CONFIG), Serving.POLLING.options()));
    VfioUserClient client = endpoint.connect();
    try {
      return new PolledRing(endpoint, client, commands, length, more, descriptors);
    } catch (IOException | RuntimeException e) {
      client.close();
      endpoint.close();
      throw e;
    }
  }

  /** Stores the descriptors of the next command once more, as a driver would that makes them. */
  void refill() {
    long bytes = (long) length * Descriptor.BYTES;
    long at = put * bytes;
    MemorySegment.copy(ready, at, ring, at, bytes);
  }

  @Override
  public void put(int slot, int block) {
    channel.advance(length);
    slots[put] = slot;
    put = (put + 1) % slots.length;
  }

  @Override
  public void ring() {
    doorbells.ring(channel.doorbell(), channel.tail());
  }

  @Override
  public int poll() {
    long at = (long) polled * CompletionRecord.BYTES + CompletionRecord.STATUS;
    int status = (int) STATUS.getAcquire(records, at);
    if (status == 0) {
      return NONE;
    }
    if (status != CompletionRecord.DONE) {
      throw new IllegalStateException("a descriptor failed");
    }
    // For its next turn, long before that.
    records.set(INT, at, 0);
    int slot = slots[polled];
    polled = (polled + 1) % slots.length;
    return slot;
  }

  @Override
  public void close() throws IOException {
    doorbells.close();
    endpoint.close();
    // Last, since it has the memory of the ring.
    device.close();
  }
}
