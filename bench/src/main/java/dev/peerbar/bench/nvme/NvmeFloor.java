package dev.peerbar.bench.nvme;

import dev.peerbar.bench.fixture.Blocks;
import dev.peerbar.bench.fixture.CommandQueue;
import dev.peerbar.bench.fixture.FlagFloor;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.driver.socket.ClientMemory;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.PrivateMemory;
import java.io.Closeable;

/**
 * The floor of commands on blocks: as many blocks in memory of the same kind, the same buffers, and
 * two threads that pass flags. For one thread.
 */
final class NvmeFloor implements Closeable {
  private final Mapping store;
  private final ClientMemory buffers;
  private final FlagFloor flags;

  private NvmeFloor(Mapping store, ClientMemory buffers, FlagFloor flags) {
    this.store = store;
    this.buffers = buffers;
    this.flags = flags;
  }

  static NvmeFloor start(Placement placement, NvmeOperation operation) throws Exception {
    Mapping store = PrivateMemory.map(Blocks.BYTES);
    store.segment().fill((byte) 1);
    ClientMemory buffers =
        new ClientMemory("bench-buffers", (long) ServedNvme.DEEPEST * Blocks.SIZE);
    buffers.bytes().fill((byte) 2);
    FlagFloor.Move move = operation.move(store.segment(), buffers.bytes());
    return new NvmeFloor(
        store, buffers, placement.server(() -> FlagFloor.start(HostQueue.ENTRIES, move)));
  }

  /** Where commands are put. */
  CommandQueue queue() {
    return flags;
  }

  @Override
  public void close() {
    flags.close();
    buffers.close();
    store.close();
  }
}
