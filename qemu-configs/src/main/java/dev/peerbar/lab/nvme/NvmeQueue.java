package dev.peerbar.lab.nvme;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.lab.guest.EventFd;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A submission queue and its completion queue, of as many entries, wherever each lies: in guest
 * memory, in the Controller Memory Buffer, in another device's BAR. For one thread at a time.
 *
 * <p>The caller keeps count: of commands that are not over there must be fewer than entries.
 */
public final class NvmeQueue {
  private static final int LAST_COMMAND_ID = 0xffff;

  private final NvmeDevice device;
  private final int id;
  private final int entries;
  private final DmaRange submissions;
  private final DmaRange completions;
  private final EventFd vector;

  private int tail;
  private int head;
  private boolean phase = true;
  private int commandId;

  NvmeQueue(
      NvmeDevice device,
      int id,
      int entries,
      DmaRange submissions,
      DmaRange completions,
      EventFd vector)
      throws IOException {
    this.device = device;
    this.id = id;
    this.entries = entries;
    this.submissions = submissions.slice(0, (long) entries * SubmissionEntry.BYTES);
    this.completions = completions.slice(0, (long) entries * CompletionEntry.BYTES);
    this.vector = vector;
    // Phase tags of an earlier life would be taken for completions of this one.
    this.completions.clear();
    vector.drain();
  }

  public int id() {
    return id;
  }

  public int entries() {
    return entries;
  }

  /** Where the submission queue lies. */
  public DmaRange submissions() {
    return submissions;
  }

  /** Where the completion queue lies. */
  public DmaRange completions() {
    return completions;
  }

  /** One past the last entry that was placed: what the tail doorbell is to say. */
  public int tail() {
    return tail;
  }

  /** The identifier that the next command gets; the ones after it get the numbers that follow. */
  public int nextCommandId() {
    return commandId;
  }

  /** One past the last completion that was taken: what the head doorbell is to say. */
  public int head() {
    return head;
  }

  /**
   * Entries that belong together in the queue's memory.
   *
   * @param slot of the first
   * @param bytes of all of them
   */
  public record Placed(int slot, byte[] bytes) {}

  /**
   * Takes the next slots, and gives the commands identifiers. Whoever asks stores the bytes and
   * rings.
   *
   * @return one piece, or two if they go around the end of the queue
   */
  public List<Placed> place(List<SubmissionEntry.Builder> commands) {
    List<Placed> pieces = new ArrayList<>();
    int next = 0;
    while (next < commands.size()) {
      int count = Math.min(commands.size() - next, entries - tail);
      ByteBuffer bytes = ByteBuffer.allocate(count * SubmissionEntry.BYTES);
      for (SubmissionEntry.Builder command : commands.subList(next, next + count)) {
        SubmissionEntry entry = command.commandId(commandId).build();
        bytes.put(entry.bytes().toArray(ValueLayout.JAVA_BYTE));
        commandId = commandId + 1 & LAST_COMMAND_ID;
      }
      pieces.add(new Placed(tail, bytes.array()));
      tail = (tail + count) % entries;
      next += count;
    }
    return pieces;
  }

  /** Stores commands into the queue and rings, all by the guest's CPU. */
  public void submit(List<SubmissionEntry.Builder> commands) throws IOException {
    store(commands);
    device.write(NvmeRegisters.submissionDoorbell(id), tail);
  }

  /**
   * The same, and waits for the completion queue's MSI-X vector, of which no signal may be left.
   *
   * @return how long that took in the guest from the doorbell on, or empty if the vector was not
   *     signalled in time
   */
  public Optional<Duration> timeSubmit(List<SubmissionEntry.Builder> commands, Duration limit)
      throws IOException {
    store(commands);
    return device.timeEvent(NvmeRegisters.submissionDoorbell(id), tail, vector, limit);
  }

  private void store(List<SubmissionEntry.Builder> commands) throws IOException {
    for (Placed piece : place(commands)) {
      submissions.write((long) piece.slot() * SubmissionEntry.BYTES, piece.bytes());
    }
  }

  /** Waits for the completion queue's MSI-X vector; false if it was not signalled in time. */
  public boolean awaitInterrupt(Duration limit) throws IOException {
    return vector.await(limit).isPresent();
  }

  /**
   * Waits for completions, interrupt by interrupt, and takes them out of the queue. Whoever asks
   * gives the entries back, with {@link #ringHead} or otherwise.
   *
   * @throws IOException if there were not as many in time, or one came without an interrupt; the
   *     message says what there was
   */
  public List<CompletionEntry> await(int count, Duration limit) throws IOException {
    List<CompletionEntry> all = new ArrayList<>(collect());
    long end = System.nanoTime() + limit.toNanos();
    while (all.size() < count) {
      boolean interrupted = awaitInterrupt(Duration.ofNanos(Math.max(0, end - System.nanoTime())));
      List<CompletionEntry> more = collect();
      all.addAll(more);
      if (!interrupted) {
        throw new IOException(
            "queue %d: %d completions of %d, %d of them without an interrupt; CSTS 0x%x"
                .formatted(id, all.size(), count, more.size(), device.read(NvmeRegisters.CSTS)));
      }
    }
    return all;
  }

  /** Gives the completions that were collected back to the controller, by the guest's CPU. */
  public void ringHead() throws IOException {
    device.write(NvmeRegisters.completionDoorbell(id), head);
  }

  /** Submits commands and waits for them, each of which must succeed. */
  public void run(List<SubmissionEntry.Builder> commands, Duration limit) throws IOException {
    submit(commands);
    List<CompletionEntry> completions = await(commands.size(), limit);
    ringHead();
    requireSuccess(completions);
  }

  /** Submits a command and waits for it; how it ended. */
  public CompletionEntry run(SubmissionEntry.Builder command, Duration limit) throws IOException {
    submit(List.of(command));
    CompletionEntry completion = await(1, limit).getFirst();
    ringHead();
    return completion;
  }

  /**
   * @throws NvmeStatusException for the first that did not
   */
  public static void requireSuccess(List<CompletionEntry> completions) throws NvmeStatusException {
    for (CompletionEntry completion : completions) {
      if (completion.status() != Status.SUCCESS) {
        throw new NvmeStatusException("a command", completion);
      }
    }
  }

  /** The completions that are there, taken out of the queue but not given back. */
  public List<CompletionEntry> collect() throws IOException {
    List<CompletionEntry> all = new ArrayList<>();
    while (true) {
      int count = ready();
      if (count == 0) {
        return all;
      }
      // Only now: an entry that is seen half written is not looked at.
      MemorySegment bytes =
          MemorySegment.ofArray(
              completions.read((long) head * CompletionEntry.BYTES, count * CompletionEntry.BYTES));
      for (int i = 0; i < count; i++) {
        all.add(CompletionEntry.decode(bytes, (long) i * CompletionEntry.BYTES));
      }
      head += count;
      if (head == entries) {
        head = 0;
        phase = !phase;
      }
    }
  }

  /** How many entries from the head on, up to the end of the queue, are of this pass. */
  private int ready() throws IOException {
    int most = entries - head;
    ByteBuffer bytes =
        ByteBuffer.wrap(
                completions.read((long) head * CompletionEntry.BYTES, most * CompletionEntry.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    int count = 0;
    while (count < most
        && CompletionEntry.phase(
                bytes.getLong(count * CompletionEntry.BYTES + CompletionEntry.SECOND))
            == phase) {
      count++;
    }
    return count;
  }
}
