package dev.peerbar.bench.nvme;

import dev.peerbar.bench.fixture.Blocks;
import dev.peerbar.bench.fixture.CommandQueue;
import dev.peerbar.bench.fixture.MappedDoorbells;
import dev.peerbar.bench.fixture.Patience;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.fixture.ServedEndpoint;
import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.NvmeEndpoint;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.ServerOptions;
import dev.peerbar.server.storage.HostMemory;
import dev.peerbar.storage.Storage;
import dev.peerbar.storage.StorageException;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * An NVMe endpoint with its blocks in memory and its doorbells mapped, and a host that has set it
 * up over the wire, with one pair of I/O queues. For one thread.
 */
public final class ServedNvme implements Closeable {
  /** The most commands under way. */
  public static final int DEEPEST = 32;

  private static final ValueLayout.OfLong NUMBER = ValueLayout.JAVA_LONG;

  private static final NvmeConfig CONFIG =
      new NvmeConfig(NvmeConfig.DEFAULT.lbaSize(), 0, 1, DoorbellMode.MAP, "PB-BENCH");

  private final Storage storage;
  private final ServedEndpoint endpoint;
  private final SocketDevice device;
  private final MappedDoorbells doorbells;
  private final DmaRange buffers;
  private final CommandQueue queue;

  private ServedNvme(
      Storage storage, ServedEndpoint endpoint, VfioUserClient client, NvmeOperation operation)
      throws IOException {
    this.storage = storage;
    this.endpoint = endpoint;
    client.negotiate(Capabilities.DEFAULTS);
    device = new SocketDevice(client);
    doorbells = MappedDoorbells.map(client, NvmeRegisters.BAR);
    NvmeDriver driver = NvmeDriver.of(device).enable();
    buffers = device.allocate((long) DEEPEST * Blocks.SIZE);
    queue = HostQueue.create(driver, doorbells, operation, CONFIG.lbaSize(), buffers);
  }

  /**
   * Serves one, whose threads stay on the processors that a placement gives them, and sets it up.
   *
   * @param name of the endpoint and its threads
   * @param operation of all commands
   */
  public static ServedNvme start(
      String name, Placement placement, ServerOptions options, NvmeOperation operation)
      throws Exception {
    Storage storage = filled();
    ServedEndpoint endpoint =
        placement.server(
            () -> ServedEndpoint.start(name, new NvmeEndpoint(CONFIG, storage), options));
    VfioUserClient client = endpoint.connect();
    try {
      ServedNvme served = new ServedNvme(storage, endpoint, client, operation);
      served.tryOut(operation);
      return served;
    } catch (IOException | RuntimeException e) {
      client.close();
      endpoint.close();
      storage.close();
      throw e;
    }
  }

  /** Blocks that begin with their number: all of them are there, and none is like another. */
  private static Storage filled() throws IOException, StorageException {
    Storage storage = HostMemory.storage(Blocks.BYTES);
    MemorySegment block = Arena.ofAuto().allocate(Blocks.SIZE, Long.BYTES);
    for (int number = 0; number < Blocks.COUNT; number++) {
      block.set(NUMBER, 0, number);
      storage.write((long) number * Blocks.SIZE, block, false);
    }
    return storage;
  }

  /** Sees that a command moves what it is about. */
  private void tryOut(NvmeOperation operation) throws StorageException {
    int slot = DEEPEST - 1;
    int block = Blocks.COUNT / 2 + 1;
    MemorySegment buffer = buffers.segment().asSlice((long) slot * Blocks.SIZE, Blocks.SIZE);
    buffer.set(NUMBER, 0, -block);
    queue.put(slot, block);
    queue.ring();
    Patience patience = new Patience();
    while (queue.poll() == CommandQueue.NONE) {
      patience.pause();
    }
    MemorySegment stored = Arena.ofAuto().allocate(Blocks.SIZE, Long.BYTES);
    storage.read((long) block * Blocks.SIZE, stored);
    long wanted = operation == NvmeOperation.READ ? block : -block;
    if (stored.mismatch(buffer) != -1 || buffer.get(NUMBER, 0) != wanted) {
      throw new IllegalStateException("a %s moved something else".formatted(operation));
    }
  }

  /** Where commands are put, {@link #DEEPEST} at most. */
  public CommandQueue queue() {
    return queue;
  }

  @Override
  public void close() throws IOException {
    doorbells.close();
    device.close();
    endpoint.close();
    storage.close();
  }
}
