package dev.peerbar.driver.nvme;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.Interrupt;
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
 * A submission queue and its completion queue, wherever each lies: in memory, in the Controller
 * Memory Buffer, in another device's BAR. For one thread at a time.
 *
 * <p>The caller keeps count: of commands that are not over there must be fewer than entries, see
 * {@link #outstanding}.
 */
public final class NvmeQueue {
  private static final int LAST_COMMAND_ID = 0xffff;

  private final NvmeDriver driver;
  private final int id;
  private final DmaRange submissions;
  private final DmaRange completions;
  private final int entries;
  private final int completionEntries;
  private Doorbells doorbells;
  private final Optional<Interrupt> vector;

  private int tail;
  private int head;
  private boolean phase = true;
  private int commandId;
  private int outstanding;

  /**
   * @param submissions as many entries as fit
   * @param completions likewise; cleared
   * @param vector of the completions; without one, waiting is looking
   */
  NvmeQueue(
      NvmeDriver driver,
      int id,
      DmaRange submissions,
      DmaRange completions,
      Doorbells doorbells,
      Optional<Interrupt> vector)
      throws IOException {
    this.driver = driver;
    this.id = id;
    this.submissions = submissions;
    this.completions = completions;
    this.doorbells = doorbells;
    this.vector = vector;
    entries = Math.toIntExact(submissions.length() / SubmissionEntry.BYTES);
    completionEntries = Math.toIntExact(completions.length() / CompletionEntry.BYTES);
    // Phase tags of whoever was here before would be taken for completions of this queue.
    completions.clear();
    if (vector.isPresent()) {
      vector.get().drain();
    }
  }

  public int id() {
    return id;
  }

  /** Of the submission queue; one fewer can wait in it. */
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

  /** One past the last completion that was taken: what the head doorbell is to say. */
  public int head() {
    return head;
  }

  /** The phase tag of the next completion. */
  public boolean phase() {
    return phase;
  }

  /** Commands that were placed and whose completions have not been taken. */
  public int outstanding() {
    return outstanding;
  }

  /** The identifier that the next command gets; the ones after it get the numbers that follow. */
  public int nextCommandId() {
    return commandId;
  }

  // Submissions.

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
        SubmissionEntry entry = command.commandId(takeCommandId()).build();
        bytes.put(entry.bytes().toArray(ValueLayout.JAVA_BYTE));
      }
      pieces.add(new Placed(tail, bytes.array()));
      advance(count);
      next += count;
    }
    return pieces;
  }

  private int takeCommandId() {
    int taken = commandId;
    commandId = commandId + 1 & LAST_COMMAND_ID;
    return taken;
  }

  private void advance(int count) {
    tail = (tail + count) % entries;
    outstanding += count;
  }

  /** Puts a command into the queue without ringing. Returns its identifier. */
  public int put(SubmissionEntry.Builder command) throws IOException {
    int taken = takeCommandId();
    put(command.commandId(taken).build());
    return taken;
  }

  /** Puts a command, as it is with its identifier, into the queue without ringing. */
  public void put(SubmissionEntry entry) throws IOException {
    submissions.write((long) tail * SubmissionEntry.BYTES, entry.bytes());
    advance(1);
  }

  /** Puts commands into the queue without ringing. */
  public void put(List<SubmissionEntry.Builder> commands) throws IOException {
    for (Placed piece : place(commands)) {
      submissions.write((long) piece.slot() * SubmissionEntry.BYTES, piece.bytes());
    }
  }

  /** How it is rung from now on. */
  public void ringBy(Doorbells newDoorbells) {
    doorbells = newDoorbells;
  }

  /** Rings for all that was put. */
  public void ring() throws IOException {
    doorbells.tail(id, tail);
  }

  /** Puts commands into the queue and rings. */
  public void submit(List<SubmissionEntry.Builder> commands) throws IOException {
    put(commands);
    ring();
  }

  /** Puts commands into the queue and rings. */
  public void submit(SubmissionEntry.Builder... commands) throws IOException {
    submit(List.of(commands));
  }

  // Completions.

  /** The next completion if it is there, taken out of the queue but not given back. */
  public Optional<CompletionEntry> poll() throws IOException {
    long offset = (long) head * CompletionEntry.BYTES;
    if (CompletionEntry.phase(completions.loadLong(offset + CompletionEntry.SECOND)) != phase) {
      return Optional.empty();
    }
    byte[] bytes = completions.read(offset, CompletionEntry.BYTES);
    CompletionEntry entry = decode(MemorySegment.ofArray(bytes), 0);
    took(1);
    return Optional.of(entry);
  }

  /** One of a command that was put here, or the controller has mixed queues up. */
  private CompletionEntry decode(MemorySegment bytes, int index) throws IOException {
    CompletionEntry entry = CompletionEntry.decode(bytes, (long) index * CompletionEntry.BYTES);
    if (entry.sqId() != id) {
      throw new IOException("queue %d: %s is another queue's".formatted(id, entry));
    }
    return entry;
  }

  /**
   * The completions that are there, taken out of the queue but not given back. With few accesses,
   * where each is dear.
   */
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
        all.add(decode(bytes, i));
      }
      took(count);
    }
  }

  /** How many entries from the head on, up to the end of the queue, are of this pass. */
  private int ready() throws IOException {
    int most = completionEntries - head;
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

  /** Counts completions, up to the end of the queue, as taken. */
  private void took(int count) {
    head += count;
    outstanding -= count;
    if (head == completionEntries) {
      head = 0;
      phase = !phase;
    }
  }

  /** Takes what looks like completions, looks at nothing that they say, and gives them back. */
  public void discard() throws IOException {
    int most = outstanding;
    for (int i = 0; i < Math.min(most, completionEntries); i++) {
      long second = (long) head * CompletionEntry.BYTES + CompletionEntry.SECOND;
      if (CompletionEntry.phase(completions.loadLong(second)) == phase) {
        took(1);
      }
    }
    ringHead();
  }

  /** Gives the completions that were taken back to the controller. */
  public void ringHead() throws IOException {
    doorbells.head(id, head);
  }

  // Waits.

  /** Waits for the completions' vector; false if it was not signalled in time. */
  public boolean awaitInterrupt(Duration limit) throws IOException {
    return vector.orElseThrow().await(limit) != 0;
  }

  /** Whether the completions' vector has been signalled by now; forgets that. */
  public boolean interrupted() throws IOException {
    return vector.orElseThrow().drain() != 0;
  }

  /** The completions' vector, unless waiting is looking. */
  public Optional<Interrupt> vector() {
    return vector;
  }

  /**
   * Waits for completions, interrupt by interrupt, and takes them out of the queue. Whoever asks
   * gives the entries back, with {@link #ringHead} or otherwise.
   *
   * @return at least as many as asked for
   * @throws IOException if there were not as many in time, or one came without an interrupt; the
   *     message says what there was
   */
  public List<CompletionEntry> collect(int count, Duration limit) throws IOException {
    List<CompletionEntry> all = new ArrayList<>(collect());
    long end = System.nanoTime() + limit.toNanos();
    while (all.size() < count) {
      boolean inTime = rest(end);
      List<CompletionEntry> more = collect();
      all.addAll(more);
      if (!inTime) {
        throw new IOException(
            "queue %d: %d completions of %d, %d of them without an interrupt; CSTS 0x%x"
                .formatted(id, all.size(), count, more.size(), driver.status()));
      }
    }
    return all;
  }

  /** Lets the controller get on until it interrupts, or for a little; false if time is over. */
  private boolean rest(long end) throws IOException {
    long left = end - System.nanoTime();
    if (vector.isPresent()) {
      return awaitInterrupt(Duration.ofNanos(Math.max(0, left)));
    }
    driver.device().relax();
    return left > 0;
  }

  /**
   * Waits for the next completion, asleep until an interrupt, and gives its entry back.
   *
   * @throws IOException if there was none in time
   */
  public CompletionEntry await(Duration limit) throws IOException {
    long end = System.nanoTime() + limit.toNanos();
    while (true) {
      Optional<CompletionEntry> entry = poll();
      if (entry.isPresent()) {
        ringHead();
        return entry.get();
      }
      if (!rest(end)) {
        throw late();
      }
    }
  }

  /** The same, within {@link NvmeDriver#LIMIT}. */
  public CompletionEntry await() throws IOException {
    return await(NvmeDriver.LIMIT);
  }

  /** Waits for the next completion without a look at interrupts, and gives its entry back. */
  public CompletionEntry spin(Duration limit) throws IOException {
    long end = System.nanoTime() + limit.toNanos();
    while (true) {
      Optional<CompletionEntry> entry = poll();
      if (entry.isPresent()) {
        ringHead();
        return entry.get();
      }
      if (System.nanoTime() - end >= 0) {
        throw late();
      }
      driver.device().relax();
    }
  }

  private IOException late() throws IOException {
    return new IOException(
        "queue %d: no completion at entry %d, %d commands outstanding; CSTS 0x%x"
            .formatted(id, head, outstanding, driver.status()));
  }

  // Whole commands.

  /**
   * Executes one command while no other is under way; how it ended.
   *
   * @throws IOException if that took too long, or it was another's completion that came
   */
  public CompletionEntry execute(SubmissionEntry.Builder command) throws IOException {
    int given = put(command);
    ring();
    CompletionEntry completion = await();
    if (completion.commandId() != given || completion.sqId() != id) {
      throw new IOException(
          "queue %d: command %d was given, and %s came".formatted(id, given, completion));
    }
    return completion;
  }

  /** Executes one command, as it is with its identifier; the next completion. */
  public CompletionEntry execute(SubmissionEntry entry) throws IOException {
    put(entry);
    ring();
    return await();
  }

  /**
   * Executes one command that succeeds, while no other is under way. Returns dword 0.
   *
   * @throws NvmeStatusException if it does not
   */
  public int succeed(SubmissionEntry.Builder command) throws IOException {
    CompletionEntry completion = execute(command);
    requireSuccess(List.of(completion));
    return completion.dword0();
  }

  /** Submits commands and waits for them, each of which must succeed. */
  public void run(List<SubmissionEntry.Builder> commands, Duration limit) throws IOException {
    submit(commands);
    List<CompletionEntry> all = collect(commands.size(), limit);
    ringHead();
    requireSuccess(all);
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

  /** The offset of the tail doorbell in BAR 0. */
  public long tailDoorbell() {
    return NvmeRegisters.submissionDoorbell(id);
  }

  /** The offset of the head doorbell in BAR 0. */
  public long headDoorbell() {
    return NvmeRegisters.completionDoorbell(id);
  }
}
