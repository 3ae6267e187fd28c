package dev.peerbar.bench.nvme;

import dev.peerbar.bench.fixture.Blocks;
import dev.peerbar.bench.fixture.FlagFloor;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import java.lang.foreign.MemorySegment;

/** What a host does with a block. */
public enum NvmeOperation {
  READ(IoOpcode.READ),
  WRITE(IoOpcode.WRITE);

  private final IoOpcode opcode;

  NvmeOperation(IoOpcode opcode) {
    this.opcode = opcode;
  }

  IoOpcode opcode() {
    return opcode;
  }

  /**
   * The same without a controller.
   *
   * @param store of all blocks
   * @param buffers of the host, a block each
   */
  FlagFloor.Move move(MemorySegment store, MemorySegment buffers) {
    return switch (this) {
      case READ -> (slot, block) -> copy(store, block, buffers, slot);
      case WRITE -> (slot, block) -> copy(buffers, slot, store, block);
    };
  }

  private static void copy(MemorySegment from, int source, MemorySegment to, int destination) {
    MemorySegment.copy(
        from, (long) source * Blocks.SIZE, to, (long) destination * Blocks.SIZE, Blocks.SIZE);
  }

  @Override
  public String toString() {
    return this == READ ? "4 KiB read" : "4 KiB write";
  }
}
