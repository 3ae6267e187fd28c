package dev.peerbar.lab.scenario.passthrough;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.scenario.passthrough.PassthroughRig.MemoryKind;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * A controller hard at work for B: reads and writes of all memories under way, B copying into the
 * CMB beside them and ringing again and again. What is to become of them is the caller's to see to.
 */
final class LoadedController {
  private static final int ENTRIES = 256;
  private static final int FIRST_COMMANDS = 180;
  private static final int LATER_COMMANDS = 24;
  private static final int LATER_BATCHES = 3;
  private static final int COMMANDS = FIRST_COMMANDS + LATER_BATCHES * LATER_COMMANDS;

  /** Of a command: more than two pages, so each has a PRP list. */
  private static final int TRANSFER = 24 << 10;

  private static final int BLOCK = 4096;
  private static final long LIST = 64;

  /** What B copies beside the commands, from its memory to the CMB. */
  private static final long BULK = 8L << 20;

  private final PassthroughRig rig;
  private final Storage storage;
  private final int blockSize;
  private final long diskSeed;
  private final long dataSeed;
  private final NvmeQueue queue;

  /**
   * Initialises the controller for it, and fills disk and memory.
   *
   * @param completions where those go
   * @param seed unlike that of any other round by a million
   */
  LoadedController(
      PassthroughRig rig, Storage storage, int blockSize, MemoryKind completions, long seed)
      throws Exception {
    this.rig = rig;
    this.storage = storage;
    this.blockSize = blockSize;
    diskSeed = seed;
    dataSeed = seed + (1L << 30);
    queue = rig.initialise(ENTRIES, completions);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment disk = arena.allocate((long) COMMANDS * TRANSFER);
      Pattern.fill(disk, diskSeed);
      storage.write(0, disk, false);
    }
    for (MemoryKind where : MemoryKind.values()) {
      rig.fill(where, 0, PassthroughRig.DATA_LENGTH, dataSeed);
    }
    rig.channel().restart();
    rig.b().clearFault();
    rig.b().drainInterrupts();
  }

  /**
   * Lets B begin, and returns once A has carried out one of the first commands.
   *
   * @param reached number of the command, or of one soon after it
   * @return the ring entry of B's last descriptor
   */
  int start(int reached) throws Exception {
    List<Descriptor> work = new ArrayList<>();
    int next = 0;
    for (int batch = 0; batch <= LATER_BATCHES; batch++) {
      int count = batch == 0 ? FIRST_COMMANDS : LATER_COMMANDS;
      List<SubmissionEntry.Builder> commands = new ArrayList<>();
      for (int i = next; i < next + count; i++) {
        commands.add(command(i));
      }
      long staged = (long) next * SubmissionEntry.BYTES;
      work.addAll(rig.initiator().descriptors(queue, commands, staged));
      work.add(bulk());
      next += count;
    }
    int first = rig.channel().submit(work);
    awaitRead(reached);
    return (first + work.size() - 1) % rig.channel().entries();
  }

  private SubmissionEntry.Builder command(int index) throws IOException {
    DmaRange data = rig.data(where(index), (long) index * TRANSFER, TRANSFER);
    MemoryKind listWhere = MemoryKind.values()[index / 2 % MemoryKind.values().length];
    DataPointer pointer = DataPointer.of(data, rig.list(listWhere, index * LIST, LIST));
    long block = (long) index * TRANSFER / blockSize;
    int blocks = TRANSFER / blockSize;
    return isWrite(index)
        ? NvmeCommands.write(block, blocks, pointer)
        : NvmeCommands.read(block, blocks, pointer);
  }

  private static MemoryKind where(int index) {
    return MemoryKind.values()[index % MemoryKind.values().length];
  }

  private static boolean isWrite(int index) {
    return index / MemoryKind.values().length % 2 == 0;
  }

  private Descriptor bulk() {
    return Descriptor.copy(BULK)
        .fromLocal(0)
        .to(rig.cmbImport().iova() + rig.cmbImport().length() - BULK)
        .interrupt();
  }

  /**
   * Waits for data of a Read to land in B's memory, where the host sees it sooner than the guest
   * could see a completion.
   */
  private void awaitRead(int from) throws UnexpectedException {
    int index = from;
    while (where(index) != MemoryKind.HBM || isWrite(index)) {
      index++;
    }
    MemorySegment data = rig.hostData(MemoryKind.HBM, (long) index * TRANSFER, Long.BYTES);
    long end = System.nanoTime() + NvmeDriver.LIMIT.toNanos();
    while (Pattern.mismatch(data, diskSeed + (long) index * TRANSFER / Long.BYTES) == 0) {
      unless(System.nanoTime() < end, "command %d did not get anywhere", index);
      Thread.onSpinWait();
    }
  }

  /** How many commands have completed, once none can any more. */
  int completed() throws IOException {
    return queue.collect().size();
  }

  /** How many commands there are for A. */
  static int commands() {
    return COMMANDS;
  }

  /** Every block of the disk must be as it was, or as a command wrote it. */
  void checkDisk() throws Exception {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment block = arena.allocate(BLOCK);
      long length = (long) COMMANDS * TRANSFER;
      for (long at = 0; at < length; at += BLOCK) {
        storage.read(at, block);
        long word = at / Long.BYTES;
        boolean before = Pattern.mismatch(block, diskSeed + word) == BLOCK;
        boolean written =
            isWrite((int) (at / TRANSFER)) && Pattern.mismatch(block, dataSeed + word) == BLOCK;
        unless(before || written, "the disk has a mixture at 0x%x", at);
      }
    }
  }
}
