package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.endpoint.JobEndedException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Who executes what: the I/O queues of one generation, and what its workers are about. Any thread;
 * its lock is held for a few steps at a time, never while memory is moved.
 *
 * <p>A worker is idle, or it watches, so that it will look for work again soon, or it is away with
 * a command that may take long. What comes in is seen by whoever watches; if nobody does, one who
 * is idle is woken. Commands that an absent worker has fetched but not begun are taken by others.
 *
 * <p>Of commands that take long one fewer than there are workers may be under way. What is fetched
 * beyond that is put aside, so that there is always a worker for the others.
 */
final class Arbiter {
  /** Commands for each watching worker that are worth waking another one. */
  private static final int BACKLOG = 8;

  /** What a worker does next. */
  enum Next {
    /** Execute the worker's command. */
    EXECUTE,
    /** Read the entries of the worker's batch, then tell {@link Arbiter#fetched}. */
    FETCH,
    NOTHING
  }

  /** What became of the wish to go idle. */
  enum Leave {
    IDLE,
    LOOK_AGAIN,
    /** Nobody else watches: the host must be told to ring first. */
    ARM
  }

  private final Rotation rotation;
  private final IoWorkers workers = new IoWorkers();

  /** How many workers are worth their processor when nothing waits. */
  private final int busyWorkers;

  private final IoHandler io;
  private final AbortWishes aborts = new AbortWishes();
  private final PutAside putAside = new PutAside();
  private final ShadowPolls polls = new ShadowPolls();

  /** Queues that are being deleted and have commands in flight. */
  private int deletions;

  /** Commands under way that take long. */
  private int longUnderWay;

  private volatile List<SubmissionQueue> submissionQueues = List.of();
  private volatile List<CompletionQueue> completionQueues = List.of();

  /** Changes with everything that may give an idle worker work. */
  private volatile int signals;

  private volatile boolean over;

  private volatile boolean pinInUse;

  Arbiter(boolean weighted, ArbitrationFeature feature, int busyWorkers, IoHandler io) {
    rotation = new Rotation(weighted, feature);
    this.busyWorkers = busyWorkers;
    this.io = io;
  }

  void add(IoWorker worker) {
    workers.add(worker);
  }

  boolean over() {
    return over;
  }

  synchronized void end() {
    over = true;
    notifyAll();
  }

  int signals() {
    return signals;
  }

  List<SubmissionQueue> submissionQueues() {
    return submissionQueues;
  }

  List<CompletionQueue> completionQueues() {
    return completionQueues;
  }

  // Queues. For the function's thread.

  synchronized void feature(ArbitrationFeature feature) {
    rotation.feature(feature);
  }

  synchronized void add(CompletionQueue queue) {
    List<CompletionQueue> all = new ArrayList<>(completionQueues);
    all.add(queue);
    completionQueues = List.copyOf(all);
  }

  synchronized void remove(CompletionQueue queue) {
    completionQueues = completionQueues.stream().filter(q -> q != queue).toList();
  }

  synchronized void add(SubmissionQueue queue) {
    queue.completions.users++;
    rotation.add(queue);
    List<SubmissionQueue> all = new ArrayList<>(submissionQueues);
    all.add(queue);
    submissionQueues = List.copyOf(all);
  }

  /**
   * Fetches no more from a queue.
   *
   * @param whenEmpty told on a worker's thread once nothing is in flight any more
   * @return whether nothing is now, so that it is not told
   */
  synchronized boolean remove(SubmissionQueue queue, Runnable whenEmpty) {
    rotation.remove(queue);
    submissionQueues = submissionQueues.stream().filter(q -> q != queue).toList();
    queue.whenEmpty = whenEmpty;
    if (queue.inFlight > 0) {
      deletions++;
    }
    return queue.inFlight == 0;
  }

  synchronized void release(CompletionQueue queue) {
    queue.users--;
  }

  synchronized boolean hasUsers(CompletionQueue queue) {
    return queue.users > 0;
  }

  synchronized int pendingVectors() {
    int vectors = 0;
    for (CompletionQueue queue : completionQueues) {
      if (queue.interrupts && queue.occupied() && queue.vector < Integer.SIZE) {
        vectors |= 1 << queue.vector;
      }
    }
    return vectors;
  }

  /** Wishes a command aborted. Returns false, and tells nobody, if it is too late or too early. */
  synchronized boolean abort(int sqid, int commandId, Consumer<Boolean> done) {
    boolean unstarted =
        workers.hasUnstarted(sqid, commandId)
            || putAside.has(it -> it.queue().id == sqid && it.entry().commandId() == commandId);
    if (unstarted) {
      aborts.add(sqid, commandId, done);
    }
    return unstarted;
  }

  // Doorbells.

  /**
   * Takes a tail from its register; where there is a shadow too, leaves it to who polls that.
   *
   * @return the worker to be woken, or null
   */
  synchronized IoWorker tail(SubmissionQueue queue, int value) {
    if (queue.shadowed) {
      queue.rungTail = value;
      polls.wantForCommands();
    } else {
      queue.tail = value;
    }
    return wakeWatcher();
  }

  /** Takes a head from its register, as {@link #tail}. Returns false if it cannot be. */
  synchronized boolean head(CompletionQueue queue, int value) {
    if (queue.shadowed) {
      queue.rungHead = value;
      if (queue.starved || queue.scarce() || pinInUse) {
        // One that nobody needs yet is found when it is needed.
        polls.want();
      }
      return value < queue.entries;
    }
    return moveHead(queue, value);
  }

  private boolean moveHead(CompletionQueue queue, int value) {
    if (!queue.moveHead(value)) {
      return false;
    }
    if (queue.free() > 0) {
      queue.starved = false;
    }
    return true;
  }

  /** The worker to be woken for what came in, or null. */
  synchronized IoWorker wakeWatcher() {
    if (!polls.wanted() && !rotation.waiting() && !canTakeAside()) {
      return null;
    }
    signals++;
    return workers.watched() ? null : workers.takeIdle();
  }

  // Shadow doorbells. For workers, but for the first.

  /** There are queues with a shadow from now on. */
  synchronized void useShadow() {
    polls.use();
  }

  /** This is one, or has another shadow than before. For the engine that may poll. */
  synchronized void useShadow(SubmissionQueue queue) {
    queue.useShadow();
  }

  /** As for a submission queue. */
  synchronized void useShadow(CompletionQueue queue) {
    queue.useShadow();
  }

  /**
   * Whether interrupts go by the pin, so that the host is to ring for every head it moves.
   *
   * @return the worker to be woken so that the host gets to know, or null
   */
  synchronized IoWorker pinInUse(boolean inUse) {
    if (inUse == pinInUse) {
      return null;
    }
    pinInUse = inUse;
    polls.disarm();
    if (polls.inUse()) {
      polls.want();
    }
    return wakeWatcher();
  }

  boolean pinInUse() {
    return pinInUse;
  }

  /** Whether the caller may poll. If so {@link #endPoll} must follow. */
  synchronized boolean beginPoll() {
    return polls.begin();
  }

  /**
   * The poll that is under way has seen nothing. Returns whether the host had rung for commands
   * before it, which are yet to be found.
   */
  synchronized boolean failPoll() {
    return polls.fail();
  }

  /**
   * Waits until nobody polls; as {@link #beginPoll} from then on, before there is a shadow too.
   * Somebody who polls may wait for a host that does not answer.
   *
   * @throws JobEndedException if the generation ends first
   */
  synchronized void beginSetUp() throws JobEndedException {
    polls.setUpWaits(true);
    try {
      while (polls.underWay() && !over) {
        wait();
      }
    } catch (InterruptedException e) {
      // The engine is being shut down: as good as over.
      Thread.currentThread().interrupt();
      throw new JobEndedException();
    } finally {
      polls.setUpWaits(false);
    }
    if (over) {
      throw new JobEndedException();
    }
    polls.beginSetUp();
  }

  /**
   * @param nowArmed whether the host rings for all it adds, as of this poll
   */
  synchronized void endPoll(boolean nowArmed) {
    polls.end(nowArmed);
    if (polls.setUpWaits()) {
      notifyAll();
    }
  }

  /** Takes a tail that was found while polling. Returns false if it cannot be. */
  synchronized boolean polledTail(SubmissionQueue queue, int value) {
    if (value < 0 || value >= queue.entries) {
      return false;
    }
    queue.tail = value;
    polls.disarm();
    signals++;
    return true;
  }

  /** Takes a head that was found while polling. Returns false if it cannot be. */
  synchronized boolean polledHead(CompletionQueue queue, int value) {
    polls.disarm();
    signals++;
    return moveHead(queue, value);
  }

  // For workers.

  /** What a worker does next. What it did is settled: its completion entry is written. */
  synchronized Next next(IoWorker worker) {
    settle(worker);
    worker.state = IoWorker.State.WATCHING;
    if (takeAside(worker)) {
      return Next.EXECUTE;
    }
    while (worker.takeOwn() || workers.stealFromAbsent(worker)) {
      if (begin(worker)) {
        return Next.EXECUTE;
      }
    }
    Rotation.Grant turn = rotation.next(Buffers.BATCH);
    if (turn != null) {
      SubmissionQueue queue = turn.queue();
      queue.fetching = true;
      queue.inFlight += turn.count();
      queue.completions.reserved += turn.count();
      worker.batch().claim(queue, turn.count());
      return Next.FETCH;
    }
    while (workers.steal(worker)) {
      if (begin(worker)) {
        return Next.EXECUTE;
      }
    }
    return Next.NOTHING;
  }

  /**
   * A worker has read the entries of its batch. Returns whether it executes the first that is not
   * put aside; there may be none.
   */
  synchronized boolean fetched(IoWorker worker) {
    Batch batch = worker.batch();
    SubmissionQueue queue = batch.queue();
    int head = queue.head + batch.count();
    queue.head = head == queue.entries ? 0 : head;
    queue.fetching = false;
    batch.open();
    boolean begun = false;
    while (!begun && worker.takeOwn()) {
      begun = begin(worker);
    }
    int watching = workers.watching();
    int backlog = queue.pending() + batch.unstarted();
    if (watching < busyWorkers && backlog > BACKLOG * watching) {
      worker.helper = workers.takeIdle();
    }
    return begun;
  }

  /** Begins a command that was put aside, if there is one that can be begun now. */
  private boolean takeAside(IoWorker worker) {
    if (!canTakeAside()) {
      return false;
    }
    PutAside.Waiting command = hasFated() ? putAside.take(this::isFated) : putAside.take(_ -> true);
    rotation.crowded(putAside.isCrowded());
    worker.take(command);
    return begin(worker);
  }

  private boolean canTakeAside() {
    return !putAside.isEmpty() && (longUnderWay < QueueEngines.MOST_LONG || hasFated());
  }

  private boolean hasFated() {
    // Almost never: they are many, and looked through for a reason only.
    return (deletions > 0 || !aborts.isEmpty()) && putAside.has(this::isFated);
  }

  /** Whether a command will not be executed. */
  private boolean isFated(PutAside.Waiting command) {
    return command.queue().deleting() || aborts.has(command.queue().id, command.entry());
  }

  /**
   * Decides the fate of the command that a worker has taken. Returns false if it is to wait for
   * others that take long: then it is put aside.
   */
  private boolean begin(IoWorker worker) {
    worker.verdict = worker.queue().deleting() ? Status.COMMAND_ABORTED_DUE_TO_SQ_DELETION : null;
    worker.aborted = aborts.take(worker.queue().id, worker.command());
    if (worker.aborted != null) {
      worker.verdict = Status.COMMAND_ABORT_REQUESTED;
    }
    boolean takesLong = worker.verdict == null && io.takesLong(worker.command());
    if (takesLong && longUnderWay == QueueEngines.MOST_LONG) {
      putAside.add(worker.queue(), worker.command());
      rotation.crowded(putAside.isCrowded());
      return false;
    }
    worker.takesLong = takesLong;
    longUnderWay += takesLong ? 1 : 0;
    return true;
  }

  /** Takes the slot for a worker's completion. */
  synchronized void takeSlot(IoWorker worker) {
    CompletionQueue queue = worker.queue().completions;
    worker.phase = queue.phase;
    worker.slot = queue.takeSlot();
    worker.sqHead = worker.queue().head;
    queue.reserved--;
    queue.unwritten++;
    if (worker.takesLong) {
      worker.takesLong = false;
      longUnderWay--;
    }
    worker.unsettled = true;
  }

  /** What a worker did is done: its completion entry is written. */
  synchronized void settle(IoWorker worker) {
    if (!worker.unsettled) {
      return;
    }
    worker.unsettled = false;
    SubmissionQueue queue = worker.queue();
    queue.completions.unwritten--;
    queue.inFlight--;
    if (queue.inFlight == 0 && queue.deleting()) {
      deletions--;
      worker.emptied = queue.whenEmpty;
    }
  }

  /** Whether a worker that goes must tell the host to ring first. */
  synchronized boolean mustArm(IoWorker worker) {
    return polls.unarmed() && !workers.othersWatch(worker);
  }

  /** Whether no other worker would see what comes in. */
  synchronized boolean watchesAlone(IoWorker worker) {
    return !workers.othersWatch(worker);
  }

  /**
   * A worker begins something that may take long.
   *
   * @return the worker to be woken for what it leaves, or null
   */
  synchronized IoWorker away(IoWorker worker) {
    worker.state = IoWorker.State.AWAY;
    if (workers.othersWatch(worker)) {
      return null;
    }
    boolean work =
        workers.anyUnstarted()
            || polls.wanted()
            || rotation.waiting()
            || canTakeAside()
            || polls.unarmed();
    return work ? workers.takeIdle() : null;
  }

  /** A worker wants to go idle. */
  synchronized Leave leave(IoWorker worker) {
    settle(worker);
    if (rotation.markStarved()) {
      polls.disarm();
    }
    if (polls.wanted() || rotation.waiting() || canTakeAside()) {
      return Leave.LOOK_AGAIN;
    }
    if (polls.unarmed() && !workers.othersWatch(worker)) {
      return Leave.ARM;
    }
    worker.state = IoWorker.State.IDLE;
    return Leave.IDLE;
  }
}
