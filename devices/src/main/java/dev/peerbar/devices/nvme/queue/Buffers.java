package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * What an engine moves queue entries, doorbells and data with. It has the same memory from its
 * first life to its last: resets may come by the thousand, and nobody collects garbage where there
 * is none. That is safe as nothing touches it once a job has ended (see {@link
 * dev.peerbar.endpoint.Dma}), and an engine's next job begins after that. Freed with the engine:
 * not before, as storage may keep its thread busy beyond the end of everything else. For the
 * engine's thread.
 */
final class Buffers {
  /** The most entries that are fetched at a time. */
  static final int BATCH = 32;

  static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int CACHE_LINE = 64;

  private final MemorySegment fetched = allocate((long) BATCH * SubmissionEntry.BYTES);
  private final SubmissionEntry[] entries = new SubmissionEntry[BATCH];

  /** An entry that another engine had fetched. */
  private final SubmissionEntry taken = new SubmissionEntry(allocate(SubmissionEntry.BYTES));

  /** The two halves of a completion entry. */
  private final MemorySegment first;

  private final MemorySegment second;

  /** Room for a page of shadow doorbells, and for one of them. */
  private final MemorySegment doorbells = allocate(ShadowDoorbells.MOST_BYTES);

  private final MemorySegment doorbell = allocate(Integer.BYTES);

  private final Transfer transfer;

  Buffers(ControllerMemory memory) {
    transfer = new Transfer(memory);
    for (int i = 0; i < BATCH; i++) {
      entries[i] =
          new SubmissionEntry(
              fetched.asSlice((long) i * SubmissionEntry.BYTES, SubmissionEntry.BYTES));
    }
    MemorySegment completion = allocate(CompletionEntry.BYTES);
    first = completion.asSlice(CompletionEntry.FIRST, Long.BYTES);
    second = completion.asSlice(CompletionEntry.SECOND, Long.BYTES);
  }

  static MemorySegment allocate(long bytes) {
    return Arena.ofAuto().allocate(bytes, CACHE_LINE);
  }

  MemorySegment fetched(int count) {
    return fetched.asSlice(0, (long) count * SubmissionEntry.BYTES);
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

  MemorySegment first(long value) {
    first.set(LONG, 0, value);
    return first;
  }

  MemorySegment second(long value) {
    second.set(LONG, 0, value);
    return second;
  }

  MemorySegment doorbells(long bytes) {
    return doorbells.asSlice(0, bytes);
  }

  MemorySegment doorbell() {
    return doorbell;
  }

  Transfer transfer() {
    return transfer;
  }
}
