package dev.peerbar.devices.nvme.drive;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.Optional;

/** A submission and a completion queue as their driver sees them. For one thread. */
public final class QueuePair {
  private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();
  private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();

  private final Machine machine;
  private final int id;
  private final MemorySegment submission;
  private final MemorySegment completion;
  private final int entries;
  private final int completionEntries;
  private int tail;
  private int head;
  private boolean phase = true;

  /** Shadow doorbells and EventIdx, or null. */
  private MemorySegment shadow;

  private MemorySegment eventIdx;
  private int doorbells;

  QueuePair(Machine machine, int id, MemorySegment submission, MemorySegment completion) {
    this.machine = machine;
    this.id = id;
    this.submission = submission;
    this.completion = completion;
    entries = (int) (submission.byteSize() / SubmissionEntry.BYTES);
    completionEntries = (int) (completion.byteSize() / CompletionEntry.BYTES);
  }

  public void shadow(MemorySegment newShadow, MemorySegment newEventIdx) {
    shadow = newShadow;
    eventIdx = newEventIdx;
  }

  public int id() {
    return id;
  }

  /** Puts a command into the next entry. */
  public void put(SubmissionEntry entry) {
    submission
        .asSlice((long) tail * SubmissionEntry.BYTES, SubmissionEntry.BYTES)
        .copyFrom(entry.bytes());
    tail = (tail + 1) % entries;
  }

  /** Rings for all that was put, as the specification has it for shadow doorbells. */
  public void ring() {
    ring(8L * id, NvmeRegisters.submissionDoorbell(id), tail);
  }

  private void ring(long at, long register, int value) {
    if (shadow != null) {
      VarHandle.releaseFence();
      int old = (int) INT.getAcquire(shadow, at);
      INT.setRelease(shadow, at, value);
      VarHandle.fullFence();
      int event = (int) INT.getAcquire(eventIdx, at);
      if ((value - event - 1 & 0xffff) >= (value - old & 0xffff)) {
        return;
      }
    }
    doorbells++;
    machine.write4(register, value);
  }

  /** Registers written. */
  public int doorbells() {
    return doorbells;
  }

  /** The next completion if it is there; its slot is given back by {@link #ringHead}. */
  public Optional<CompletionEntry> poll() {
    long at = (long) head * CompletionEntry.BYTES;
    long second = (long) LONG.getAcquire(completion, at + CompletionEntry.SECOND);
    if (CompletionEntry.phase(second) != phase) {
      return Optional.empty();
    }
    CompletionEntry entry = CompletionEntry.decode(completion, at);
    head++;
    if (head == completionEntries) {
      head = 0;
      phase = !phase;
    }
    return Optional.of(entry);
  }

  public void ringHead() {
    ring(8L * id + 4, NvmeRegisters.completionDoorbell(id), head);
  }

  /** Waits for the next completion and gives its slot back. */
  public CompletionEntry await() {
    long deadline = System.nanoTime() + 60_000_000_000L;
    while (true) {
      machine.pass();
      Optional<CompletionEntry> entry = poll();
      if (entry.isPresent()) {
        ringHead();
        return entry.get();
      }
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError("no completion in queue " + id);
      }
    }
  }

  /** Puts a command, rings, and waits for its completion. */
  public CompletionEntry run(SubmissionEntry entry) {
    put(entry);
    ring();
    return await();
  }
}
