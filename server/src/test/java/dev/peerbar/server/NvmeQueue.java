package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.Optional;

/** A submission and a completion queue as a driver sees them. For one thread. */
final class NvmeQueue {
  private static final VarHandle LONG = GuestMemory.LONG.varHandle();

  private final int id;
  private final int entries;
  private final MemorySegment submissions;
  private final MemorySegment completions;
  private final NvmeDoorbells doorbells;
  private final FileDescriptor event;
  private int tail;
  private int head;
  private boolean phase = true;
  private int lastCommandId;
  private int outstanding;

  /**
   * @param event of the vector of its completions
   */
  NvmeQueue(
      int id,
      int entries,
      MemorySegment submissions,
      MemorySegment completions,
      NvmeDoorbells doorbells,
      FileDescriptor event) {
    this.id = id;
    this.entries = entries;
    this.submissions = submissions;
    this.completions = completions;
    this.doorbells = doorbells;
    this.event = event;
  }

  int entries() {
    return entries;
  }

  /** Commands that were put in and have not completed. */
  int outstanding() {
    return outstanding;
  }

  FileDescriptor event() {
    return event;
  }

  /** Puts a command in, without telling. Returns its identifier. */
  int put(SubmissionEntry.Builder command) {
    assertThat(outstanding).as("room in the queue").isLessThan(entries - 1);
    int commandId = lastCommandId++ & 0x7fff;
    MemorySegment.copy(
        command.commandId(commandId).build().bytes(),
        0,
        submissions,
        (long) tail * SubmissionEntry.BYTES,
        SubmissionEntry.BYTES);
    tail = (tail + 1) % entries;
    outstanding++;
    return commandId;
  }

  void ring() throws IOException {
    VarHandle.fullFence();
    doorbells.tail(id, tail);
  }

  void submit(SubmissionEntry.Builder... commands) throws IOException {
    for (SubmissionEntry.Builder command : commands) {
      put(command);
    }
    ring();
  }

  /** The next completion, if it is there. */
  Optional<CompletionEntry> poll() throws IOException {
    long offset = (long) head * CompletionEntry.BYTES;
    long second = (long) LONG.getAcquire(completions, offset + CompletionEntry.SECOND);
    if (CompletionEntry.phase(second) != phase) {
      return Optional.empty();
    }
    CompletionEntry entry = CompletionEntry.decode(completions, offset);
    assertThat(entry.sqId()).as("SQ identifier").isEqualTo(id);
    head = (head + 1) % entries;
    phase ^= head == 0;
    outstanding--;
    doorbells.head(id, head);
    return Optional.of(entry);
  }

  /** Takes what looks like completions and does not look at what they say. */
  void discard() throws IOException {
    for (int i = 0; i < entries && outstanding > 0; i++) {
      long offset = (long) head * CompletionEntry.BYTES + CompletionEntry.SECOND;
      if (CompletionEntry.phase((long) LONG.getAcquire(completions, offset)) == phase) {
        head = (head + 1) % entries;
        phase ^= head == 0;
        outstanding--;
      }
    }
    doorbells.head(id, head);
  }

  /** Waits for the next completion, asleep until an interrupt. */
  CompletionEntry await() throws IOException {
    while (true) {
      Optional<CompletionEntry> entry = poll();
      if (entry.isPresent()) {
        return entry.get();
      }
      assertThat(EventDescriptor.await(event, Wire.LIMIT))
          .as("interrupts of queue %d, which waits for a completion at %d", id, head)
          .isPositive();
    }
  }

  /** Waits for the next completion without a look at interrupts. */
  CompletionEntry spin() throws IOException {
    long deadline = System.nanoTime() + Wire.LIMIT.toNanos();
    while (true) {
      Optional<CompletionEntry> entry = poll();
      if (entry.isPresent()) {
        return entry.get();
      }
      assertThat(System.nanoTime()).as("a completion comes").isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  /** Executes one command while no other is under way. */
  CompletionEntry execute(SubmissionEntry.Builder command) throws IOException {
    int commandId = put(command);
    ring();
    CompletionEntry entry = await();
    assertThat(entry.commandId()).isEqualTo(commandId);
    return entry;
  }

  /** Executes one command that succeeds. Returns dword 0. */
  int succeed(SubmissionEntry.Builder command) throws IOException {
    CompletionEntry entry = execute(command);
    assertThat(entry.status()).isEqualTo(Status.SUCCESS);
    return entry.dword0();
  }

  /** Executes one command that fails. */
  void fail(Status status, SubmissionEntry.Builder command) throws IOException {
    assertThat(execute(command).status()).isEqualTo(status);
  }

  /** Whether an interrupt has been signalled by now. */
  boolean interrupted() throws IOException {
    return EventDescriptor.read(event) != 0;
  }
}
