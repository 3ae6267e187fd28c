package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.invoke.VarHandle;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The admin submission and completion queues of one life. For the function's thread; the admin
 * engine moves what is in memory.
 *
 * <p>Commands may be outstanding for long (Asynchronous Event Request), so no slot of the
 * completion queue is kept for them: while it is full completions are held back and nothing is
 * fetched.
 *
 * <p>Some hosts use the shadow doorbells for this pair too, some never do (NVMe 1.4 7.13 lets them
 * ring anyway): a shadow counts from the first time that it is seen to move.
 */
final class AdminQueue {
  private static final Logger log = LoggerFactory.getLogger(AdminQueue.class);

  /** Commands fetched at a time. */
  private static final int BATCH = 16;

  private final QueueSettings settings;
  private final QueueEngines engines;
  private final AdminEngine engine;
  private final AdminHandler handler;
  private final Events events;
  private final CompletionQueue completions;

  private boolean ready;
  private int tail;
  private int head;
  private boolean fetching;

  /** Completions that have no slot yet. */
  private final Deque<Held> held = new ArrayDeque<>();

  private ShadowDoorbells shadow;
  private boolean looking;
  private boolean lookAgain;
  private boolean tailShadowed;
  private boolean headShadowed;
  private int seenTail;
  private int seenHead;

  private record Held(int commandId, Status status, int dword0) {}

  private record Post(int slot, CompletionEntry entry) {}

  AdminQueue(
      QueueSettings settings,
      QueueEngines engines,
      AdminEngine engine,
      AdminHandler handler,
      Events events) {
    this.settings = settings;
    this.engines = engines;
    this.engine = engine;
    this.handler = handler;
    this.events = events;
    completions =
        new CompletionQueue(
            0, settings.adminCompletionEntries(), settings.adminCompletionQueue(), 0, true);
  }

  /** Fetching may begin. */
  void ready() {
    ready = true;
    fetch();
  }

  boolean occupied() {
    return completions.occupied();
  }

  RingResult ringTail(int value) {
    if (value < 0 || value >= settings.adminSubmissionEntries()) {
      return RingResult.INVALID_VALUE;
    }
    if (tailShadowed) {
      look();
    } else {
      tail = value;
      fetch();
    }
    return RingResult.OK;
  }

  RingResult ringHead(int value) {
    if (headShadowed) {
      look();
      return value < 0 || value >= completions.entries ? RingResult.INVALID_VALUE : RingResult.OK;
    }
    if (!completions.moveHead(value)) {
      return RingResult.INVALID_VALUE;
    }
    headMoved();
    return RingResult.OK;
  }

  private void headMoved() {
    post();
    fetch();
    if (settings.pinInUse().getAsBoolean()) {
      events.interruptStateChanged();
    }
  }

  private void fetch() {
    if (!ready || fetching || tail == head || !held.isEmpty() || engine.over()) {
      return;
    }
    int end = tail > head ? tail : settings.adminSubmissionEntries();
    int count = Math.min(BATCH, end - head);
    long address = settings.adminSubmissionQueue() + (long) head * SubmissionEntry.BYTES;
    fetching = true;
    engine.submit((job, buffers) -> {
      engines.memory().read(job.dma(), address, buffers.fetched(count));
      List<SubmissionEntry> commands = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        commands.add(buffers.entry(i).copy());
      }
      engine.update(job, () -> fetched(commands));
    });
  }

  private void fetched(List<SubmissionEntry> commands) {
    head = (head + commands.size()) % settings.adminSubmissionEntries();
    fetching = false;
    for (SubmissionEntry command : commands) {
      if (engine.over()) {
        return;
      }
      AdminReply reply = new AdminReply(this, command);
      reply.whileExecuting(() -> handler.execute(command, reply));
    }
    fetch();
    if (tail == head) {
      look();
    }
  }

  private static Status run(TransferStep step, Transfer transfer) throws JobEndedException {
    try {
      return step.run(transfer);
    } catch (RuntimeException | Error e) {
      log.error("an admin command's data cannot be moved", e);
      transfer.abandon();
      return Status.INTERNAL_ERROR;
    }
  }

  /** Moves a command's data, then says on the function's thread how that went. */
  void transfer(SubmissionEntry command, TransferStep step, TransferEnd end) {
    engine.submit((job, buffers) -> {
      Transfer transfer = buffers.transfer();
      transfer.job(job.dma(), settings.pageSize(), () -> false);
      transfer.begin();
      // PCIe: PRPs for all admin commands (NVMe 1.4 4.2).
      Status status = command.psdt() == 0 ? run(step, transfer) : Status.INVALID_FIELD_IN_COMMAND;
      engine.update(job, () -> end.run(status));
    });
  }

  /** On the engine's thread. */
  interface TransferStep {
    Status run(Transfer transfer) throws JobEndedException;
  }

  /** On the function's thread. */
  interface TransferEnd {
    void run(Status status);
  }

  /** Completes a command whose data could not be moved. */
  void failed(SubmissionEntry command, Status status) {
    events.failed(0, command.commandId(), status, Events.NO_PARAMETER, 0, command.namespaceId());
    complete(command, status, 0);
  }

  void complete(SubmissionEntry command, Status status, int dword0) {
    if (engine.over()) {
      return;
    }
    held.add(new Held(command.commandId(), status, dword0));
    post();
  }

  private void post() {
    List<Post> posts = new ArrayList<>();
    while (!held.isEmpty() && completions.free() > 0) {
      Held next = held.remove();
      boolean phase = completions.phase;
      int slot = completions.takeSlot();
      completions.unwritten++;
      CompletionEntry entry =
          new CompletionEntry(next.dword0, head, 0, next.commandId, phase, next.status);
      posts.add(new Post(slot, entry));
    }
    if (!posts.isEmpty()) {
      engine.submit((job, buffers) -> {
        write(job, buffers, posts);
        engine.update(job, () -> posted(posts.size()));
      });
    }
    if (!held.isEmpty()) {
      look();
    }
  }

  private void write(Job job, Buffers buffers, List<Post> posts)
      throws DmaFaultException, JobEndedException {
    for (Post post : posts) {
      long address = completions.address + (long) post.slot * CompletionEntry.BYTES;
      job.dma().write(address + CompletionEntry.FIRST, buffers.first(post.entry.first()));
      job.dma().write(address + CompletionEntry.SECOND, buffers.second(post.entry.second()));
    }
  }

  private void posted(int count) {
    completions.unwritten -= count;
    engines.host().interrupts().raise(completions.vector);
    if (settings.pinInUse().getAsBoolean()) {
      events.interruptStateChanged();
      look();
    }
  }

  // Shadow doorbells.

  int tail() {
    return tail;
  }

  int completionHead() {
    return completions.head;
  }

  /** Takes on shadow doorbells, which the admin engine fills with these values before all else. */
  void shadow(ShadowDoorbells doorbells) {
    shadow = doorbells;
    looking = false;
    tailShadowed = false;
    headShadowed = false;
    seenTail = tail;
    seenHead = completions.head;
  }

  /** Looks at the shadow doorbells, having told the host to ring for what it adds from now on. */
  private void look() {
    if (shadow == null) {
      return;
    }
    if (looking) {
      lookAgain = true;
      return;
    }
    looking = true;
    lookAgain = false;
    ShadowDoorbells doorbells = shadow;
    int knownTail = tail;
    int knownHead = completions.head;
    engine.submit((job, buffers) -> {
      doorbells.storeEvent(job, buffers, ShadowDoorbells.tailOffset(0), knownTail);
      doorbells.storeEvent(job, buffers, ShadowDoorbells.headOffset(0), knownHead);
      // The host stores its doorbell, then loads EventIdx; here it is the other way round.
      VarHandle.fullFence();
      int newTail = doorbells.load(job, buffers, ShadowDoorbells.tailOffset(0));
      int newHead = doorbells.load(job, buffers, ShadowDoorbells.headOffset(0));
      engine.update(
          job,
          () -> {
            if (doorbells == shadow) {
              looked(newTail, newHead);
            }
          });
    });
  }

  private void looked(int newTail, int newHead) {
    looking = false;
    boolean moved = lookAgain;
    if (newTail != seenTail) {
      seenTail = newTail;
      tailShadowed = true;
      if (newTail < 0 || newTail >= settings.adminSubmissionEntries()) {
        events.invalidDoorbell();
      } else {
        tail = newTail;
        moved = true;
      }
    }
    if (newHead != seenHead) {
      seenHead = newHead;
      headShadowed = true;
      if (completions.moveHead(newHead)) {
        headMoved();
        moved = true;
      } else {
        events.invalidDoorbell();
      }
    }
    fetch();
    if (moved) {
      look();
    }
  }
}
