package dev.peerbar.bench.nvme;

import dev.peerbar.bench.fixture.Blocks;
import dev.peerbar.bench.fixture.CommandQueue;
import dev.peerbar.bench.fixture.MappedDoorbells;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A pair of I/O queues without interrupts, as the leanest host has it: entries lie ready, a command
 * is three stores, and a completion is one load. A slot is a command identifier and a buffer.
 */
final class HostQueue implements CommandQueue {
  /** Of either queue, and slots at most but for one. */
  static final int ENTRIES = 64;

  private static final int ID = 1;

  /** CDW11 of Create I/O Completion Queue: physically contiguous, no interrupts (NVMe 1.4 5.3). */
  private static final int CONTIGUOUS = 1;

  // A submission entry (NVMe 1.4 4.2): opcode and command identifier, and the starting LBA.
  private static final long COMMAND = 0;
  private static final int COMMAND_ID_SHIFT = 16;
  private static final long STARTING_LBA = 40;

  // The second half of a completion entry (NVMe 1.4 4.6).
  private static final int COMPLETED_ID_SHIFT = 32;
  private static final int COMPLETED_ID_MASK = 0xffff;
  private static final int STATUS_SHIFT = 49;

  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle SECOND_HALF = LONG.varHandle();

  private static final long TAIL = NvmeRegisters.submissionDoorbell(ID);
  private static final long HEAD = NvmeRegisters.completionDoorbell(ID);

  private final MappedDoorbells doorbells;
  private final MemorySegment submissions;
  private final MemorySegment completions;
  private final int opcode;
  private final int lbasPerBlock;
  private final long buffers;
  private int tail;
  private int head;
  private boolean phase = true;

  private HostQueue(
      MappedDoorbells doorbells,
      DmaRange submissions,
      DmaRange completions,
      int opcode,
      int lbasPerBlock,
      long buffers) {
    this.doorbells = doorbells;
    this.submissions = submissions.segment();
    this.completions = completions.segment();
    this.opcode = opcode;
    this.lbasPerBlock = lbasPerBlock;
    this.buffers = buffers;
  }

  /**
   * Creates the pair, the only one.
   *
   * @param driver of a controller that is ready; the queues lie in its memory
   * @param lbaSize in bytes
   * @param buffers a block for each slot
   */
  static HostQueue create(
      NvmeDriver driver,
      MappedDoorbells doorbells,
      NvmeOperation operation,
      int lbaSize,
      DmaRange buffers)
      throws IOException {
    DmaRange submissions = driver.allocate((long) ENTRIES * SubmissionEntry.BYTES);
    DmaRange completions = driver.allocate((long) ENTRIES * CompletionEntry.BYTES);
    completions.clear();
    int lbas = Blocks.SIZE / lbaSize;
    SubmissionEntry command =
        NvmeCommands.onBlocks(operation.opcode(), 0, lbas, DataPointer.NONE).build();
    for (int entry = 0; entry < ENTRIES; entry++) {
      submissions.write((long) entry * SubmissionEntry.BYTES, command.bytes());
    }
    driver
        .admin()
        .succeed(
            NvmeCommands.createCompletionQueue(ID, ENTRIES, completions.iova(), 0)
                .dword(11, CONTIGUOUS));
    driver
        .admin()
        .succeed(NvmeCommands.createSubmissionQueue(ID, ENTRIES, submissions.iova(), ID, 0));
    return new HostQueue(
        doorbells, submissions, completions, operation.opcode().code(), lbas, buffers.iova());
  }

  @Override
  public void put(int slot, int block) {
    long entry = (long) tail * SubmissionEntry.BYTES;
    submissions.set(INT, entry + COMMAND, opcode | slot << COMMAND_ID_SHIFT);
    submissions.set(
        LONG, entry + SubmissionEntry.DATA_POINTER, buffers + (long) slot * Blocks.SIZE);
    submissions.set(LONG, entry + STARTING_LBA, (long) block * lbasPerBlock);
    tail = (tail + 1) % ENTRIES;
  }

  /** {@inheritDoc} And gives the completions back that were taken. */
  @Override
  public void ring() {
    doorbells.ring(HEAD, head);
    doorbells.ring(TAIL, tail);
  }

  @Override
  public int poll() {
    long second =
        (long)
            SECOND_HALF.getAcquire(
                completions, (long) head * CompletionEntry.BYTES + CompletionEntry.SECOND);
    if (CompletionEntry.phase(second) != phase) {
      return NONE;
    }
    if (second >>> STATUS_SHIFT != 0) {
      throw new IllegalStateException("a command failed: 0x%x".formatted(second >>> STATUS_SHIFT));
    }
    if (++head == ENTRIES) {
      head = 0;
      phase = !phase;
    }
    return (int) (second >>> COMPLETED_ID_SHIFT) & COMPLETED_ID_MASK;
  }
}
