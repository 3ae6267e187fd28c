package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.CompletionWriter;
import dev.peerbar.engine.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * What an engine moves queue entries, doorbells and data with: {@link Scratch} memory, the same
 * from the engine's first job to its last. For the engine's thread.
 */
final class Buffers {
  /** The most entries that are fetched at a time. */
  static final int BATCH = 32;

  static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MemorySegment fetched = Scratch.allocate((long) BATCH * SubmissionEntry.BYTES);
  private final SubmissionEntry[] entries = new SubmissionEntry[BATCH];

  /** The first entry, the first two, and so on: a slice for each fetch would be garbage. */
  private final MemorySegment[] first = new MemorySegment[BATCH];

  /** An entry that another engine had fetched. */
  private final SubmissionEntry taken =
      new SubmissionEntry(Scratch.allocate(SubmissionEntry.BYTES));

  private final CompletionWriter completion =
      new CompletionWriter(CompletionEntry.BYTES, CompletionEntry.SECOND, Long.BYTES);

  /** Room for a page of shadow doorbells, and for one of them. */
  private final Scratch doorbells = new Scratch(ShadowDoorbells.MOST_BYTES);

  private final MemorySegment doorbell = Scratch.allocate(Integer.BYTES);

  private final Transfer transfer;

  Buffers(ControllerMemory memory) {
    transfer = new Transfer(memory);
    for (int i = 0; i < BATCH; i++) {
      entries[i] =
          new SubmissionEntry(
              fetched.asSlice((long) i * SubmissionEntry.BYTES, SubmissionEntry.BYTES));
      first[i] = fetched.asSlice(0, (i + 1L) * SubmissionEntry.BYTES);
    }
  }

  MemorySegment fetched(int count) {
    return first[count - 1];
  }

  /** An entry of what was fetched; it changes with the next fetch. */
  SubmissionEntry entry(int index) {
    return entries[index];
  }

  /** A copy of another engine's entry. */
  SubmissionEntry taken(SubmissionEntry other) {
    taken.bytes().copyFrom(other.bytes());
    return taken;
  }

  /** Writes a completion to its slot: the half with the phase tag last. */
  void complete(Dma dma, long slot, CompletionEntry entry)
      throws DmaFaultException, JobEndedException {
    entry.encode(completion.entry(), 0);
    completion.write(dma, slot);
  }

  /** As {@link #complete(Dma, long, CompletionEntry)}, of an I/O command, without an object. */
  void complete(
      Dma dma, long slot, int sqHead, int sqId, int commandId, boolean phase, Status status)
      throws DmaFaultException, JobEndedException {
    CompletionEntry.encode(completion.entry(), 0, 0, sqHead, sqId, commandId, phase, status);
    completion.write(dma, slot);
  }

  MemorySegment doorbells(long bytes) {
    return doorbells.first(bytes);
  }

  MemorySegment doorbell() {
    return doorbell;
  }

  Transfer transfer() {
    return transfer;
  }
}
