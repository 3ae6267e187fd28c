package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.Guard;
import java.lang.invoke.VarHandle;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * The admin submission and completion queues of one generation. For the function's thread; the
 * admin engine moves what is in memory.
 *
 * <p>Commands may be outstanding for long (Asynchronous Event Request), so no slot of the
 * completion queue is kept for them: while it is full completions are held back and nothing is
 * fetched.
 *
 * <p>Some hosts use the shadow doorbells for this pair too, some never do: what counts is as with
 * others, see {@link ShadowDoorbells}.
 */
final class AdminQueue {
  /** How long shadow doorbells that cannot be reached are left alone. */
  private static final long REST_NANOS = 1_000_000;

  /** Commands fetched at a time. */
  private static final int BATCH = 16;

  private final QueueSettings settings;
  private final QueueEngines engines;
  private final AdminEngine engine;
  private final AdminHandler handler;
  private final Events events;
  private final CompletionQueue completions;
  private final Guard<Status> guard = CommandErrors.guard("an admin command's data transfer");

  private boolean ready;
  private int tail;
  private int head;
  private boolean fetching;

  /** Completions that have no slot yet. */
  private final Deque<Held> held = new ArrayDeque<>();

  private ShadowDoorbells shadow;
  private boolean looking;
  private boolean lookAgain;

  /** Whether the host has rung for commands since the last look. */
  private boolean rung;

  /** What the registers were last written since there is a shadow; and what was made of that. */
  private int rungTail;

  private int rungHead;
  private int seenRungTail;
  private int seenRungHead;

  /** Whether the shadows have moved: from then on the registers' values do not count. */
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
    if (shadow == null) {
      tail = value;
      fetch();
    } else {
      rungTail = value;
      rung = true;
      look();
    }
    return RingResult.OK;
  }

  RingResult ringHead(int value) {
    if (shadow != null) {
      rungHead = value;
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

  /** Moves a command's data, then says on the function's thread how that went. */
  void transfer(SubmissionEntry command, TransferWork work, TransferEnd end) {
    engine.submit((job, buffers) -> {
      Transfer transfer = buffers.transfer();
      transfer.job(job.dma(), false, settings.pageSize(), () -> false);
      transfer.begin();
      // PCIe: PRPs for all admin commands (NVMe 1.4 4.2).
      Status status =
          command.psdt() == 0
              ? guard.run(() -> work.run(transfer))
              : Status.INVALID_FIELD_IN_COMMAND;
      engine.update(job, () -> end.run(status));
    });
  }

  /** On the engine's thread. */
  interface TransferWork {
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
      buffers.complete(job.dma(), completions.slotAddress(post.slot), post.entry);
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
    if (shadow == null) {
      rungTail = tail;
      rungHead = completions.head;
    }
    if (shadow == null || tailShadowed) {
      seenRungTail = rungTail;
    }
    if (shadow == null || headShadowed) {
      seenRungHead = rungHead;
    }
    shadow = doorbells;
    looking = false;
    tailShadowed = false;
    headShadowed = false;
    seenTail = tail;
    seenHead = completions.head;
  }

  /** What there was to see. */
  private record Seen(int tail, int head) {}

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
    boolean forHost = rung;
    rung = false;
    int knownTail = tail;
    int knownHead = completions.head;
    // Looked at before the shadows, which a host that uses them has stored before.
    Seen registers = new Seen(rungTail, rungHead);
    engine.submit((job, buffers) -> {
      Seen shadows;
      try {
        shadows = exchange(doorbells, job, buffers, new Seen(knownTail, knownHead));
      } catch (DmaFaultException fault) {
        if (forHost) {
          throw fault;
        }
        // No part of any command: see ShadowDoorbells.
        LockSupport.parkNanos(REST_NANOS);
        engine.update(job, () -> unreachable(doorbells));
        return;
      }
      engine.update(
          job,
          () -> {
            if (doorbells == shadow) {
              looked(registers, shadows);
            }
          });
    });
  }

  private static Seen exchange(ShadowDoorbells doorbells, Job job, Buffers buffers, Seen known)
      throws DmaFaultException, JobEndedException {
    doorbells.storeEvent(job, buffers, ShadowDoorbells.tailOffset(0), known.tail);
    doorbells.storeEvent(job, buffers, ShadowDoorbells.headOffset(0), known.head);
    // The host stores its doorbell, then loads EventIdx; here it is the other way round.
    VarHandle.fullFence();
    return new Seen(
        doorbells.load(job, buffers, ShadowDoorbells.tailOffset(0)),
        doorbells.load(job, buffers, ShadowDoorbells.headOffset(0)));
  }

  /** A host that has used the shadows may not ring before it has been told to. */
  private void unreachable(ShadowDoorbells doorbells) {
    if (doorbells == shadow) {
      looking = false;
      if (tailShadowed || headShadowed || lookAgain) {
        look();
      }
    }
  }

  private void looked(Seen registers, Seen shadows) {
    looking = false;
    boolean again = lookAgain;
    if (shadows.tail != seenTail) {
      seenTail = shadows.tail;
      tailShadowed = true;
      again |= moveTail(shadows.tail);
    } else if (!tailShadowed && registers.tail != seenRungTail) {
      moveTail(registers.tail);
    }
    seenRungTail = registers.tail;
    if (shadows.head != seenHead) {
      seenHead = shadows.head;
      headShadowed = true;
      again |= moveHead(shadows.head);
    } else if (!headShadowed && registers.head != seenRungHead) {
      moveHead(registers.head);
    }
    seenRungHead = registers.head;
    fetch();
    if (again) {
      look();
    }
  }

  private boolean moveTail(int value) {
    if (value < 0 || value >= settings.adminSubmissionEntries()) {
      events.invalidDoorbell();
      return false;
    }
    tail = value;
    return true;
  }

  private boolean moveHead(int value) {
    if (!completions.moveHead(value)) {
      events.invalidDoorbell();
      return false;
    }
    headMoved();
    return true;
  }
}
