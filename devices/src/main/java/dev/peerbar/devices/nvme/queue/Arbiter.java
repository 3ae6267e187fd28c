package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.endpoint.JobEndedException;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Who executes what: the I/O queues of one generation, and what its workers are about. Any thread;
 * its lock is held for a few steps at a time, never while memory is moved.
 *
 * <p>A worker is idle, or it watches, so that it will look for work again soon, or it is away with
 * a command that may take long. What comes in is seen by whoever watches; if nobody does, one who
 * is idle is woken. Commands that an absent worker has fetched but not begun are taken by others.
 *
 * <p>Where the host polls, one worker more is on the function's thread, and always watches.
 * Commands that it must not execute it puts aside, for which others are woken.
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

  private volatile SubmissionQueue[] submissionQueues = {};
  private volatile CompletionQueue[] completionQueues = {};

  /** Changes with everything that may give an idle worker work. */
  private volatile int signals;

  private volatile boolean over;

  private volatile boolean pinInUse;

  /** The worker that the host polls; null if there is none. It always watches. */
  private volatile IoWorker poller;

  Arbiter(boolean weighted, ArbitrationFeature feature, int busyWorkers, IoHandler io) {
    rotation = new Rotation(weighted, feature);
    this.busyWorkers = busyWorkers;
    this.io = io;
  }

  void add(IoWorker worker) {
    workers.add(worker);
  }

  // What is polled. For the function's thread, but for the questions.

  /** There is a worker that the host polls. */
  synchronized void polled(IoWorker worker) {
    worker.state = IoWorker.State.WATCHING;
    workers.add(worker);
    poller = worker;
  }

  /** Whether there is one, which then is the only one that looks at shadow doorbells. */
  boolean isPolled() {
    return poller != null;
  }

  /**
   * A worker that was polled is not any more, and leaves what it has fetched to others.
   *
   * @return the worker to be woken for it, or null
   */
  synchronized IoWorker retire(IoWorker worker) {
    poller = null;
    settle(worker);
    Batch batch = worker.batch();
    if (batch.claimed()) {
      SubmissionQueue queue = batch.queue();
      queue.fetching = false;
      queue.inFlight -= batch.count();
      queue.completions.reserved -= batch.count();
      batch.drop();
    }
    worker.state = IoWorker.State.AWAY;
    if (polls.inUse()) {
      // A look that it had begun has seen nothing.
      polls.want();
    }
    signals++;
    return workers.watched() ? null : workers.takeIdle();
  }

  /** A worker that is polled has taken a command that must wait: others are to execute it. */
  synchronized void putAside(IoWorker worker) {
    if (worker.aborted != null) {
      // Whoever wishes that is told once it has completed.
      aborts.add(worker.queue().id, worker.command().commandId(), worker.aborted);
      worker.aborted = null;
    }
    boolean takesLong = io.takesLong(worker.command());
    putAside.add(worker.queue(), worker.command(), takesLong);
    rotation.crowded(putAside.isCrowded());
    signals++;
    // A worker that watches takes it, or another one is worth its processor.
    int watching = workers.watchingBeside(worker);
    if (takesLong
        ? mayBeginLong()
        : watching == 0 || watching < busyWorkers && putAside.others() > BACKLOG * watching) {
      worker.needs(workers.takeIdle());
    }
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

  /** Never changed: there is another one when there are other queues. */
  SubmissionQueue[] submissionQueues() {
    return submissionQueues;
  }

  /** As {@link #submissionQueues}. */
  CompletionQueue[] completionQueues() {
    return completionQueues;
  }

  // Queues. For the function's thread.

  synchronized void feature(ArbitrationFeature feature) {
    rotation.feature(feature);
  }

  synchronized void add(CompletionQueue queue) {
    completionQueues =
        Stream.concat(Stream.of(completionQueues), Stream.of(queue))
            .toArray(CompletionQueue[]::new);
  }

  synchronized void remove(CompletionQueue queue) {
    completionQueues =
        Stream.of(completionQueues).filter(q -> q != queue).toArray(CompletionQueue[]::new);
  }

  synchronized void add(SubmissionQueue queue) {
    queue.completions.users++;
    rotation.add(queue);
    submissionQueues =
        Stream.concat(Stream.of(submissionQueues), Stream.of(queue))
            .toArray(SubmissionQueue[]::new);
  }

  /**
   * Fetches no more from a queue.
   *
   * @param whenEmpty told on a worker's thread once nothing is in flight any more
   * @return whether nothing is now, so that it is not told
   */
  synchronized boolean remove(SubmissionQueue queue, Runnable whenEmpty) {
    rotation.remove(queue);
    submissionQueues =
        Stream.of(submissionQueues).filter(q -> q != queue).toArray(SubmissionQueue[]::new);
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
    if (poller != null) {
      // It looks next. What it put aside has been given to others.
      return null;
    }
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
    if (!fetches(worker)) {
      return Next.NOTHING;
    }
    SubmissionQueue queue = rotation.next(Buffers.BATCH);
    if (queue != null) {
      int count = rotation.granted();
      queue.fetching = true;
      queue.inFlight += count;
      queue.completions.reserved += count;
      worker.batch().claim(queue, count);
      return Next.FETCH;
    }
    while (workers.steal(worker)) {
      if (begin(worker)) {
        return Next.EXECUTE;
      }
    }
    return Next.NOTHING;
  }

  /** Where one is polled others fetch only what is worth a processor more. */
  private boolean fetches(IoWorker worker) {
    return poller == null || worker == poller || busyWorkers > 1;
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
      worker.needs(workers.takeIdle());
    }
    return begun;
  }

  /** Begins a command that was put aside, if there is one that can be begun now. */
  private boolean takeAside(IoWorker worker) {
    if (worker == poller ? !hasFated() : !canTakeAside()) {
      return false;
    }
    PutAside.Waiting command =
        hasFated() ? putAside.take(this::isFated) : putAside.take(mayBeginLong());
    if (rotation.crowded(putAside.isCrowded()) && poller != null && worker != poller) {
      signals++;
      worker.tells = true;
    }
    worker.take(command);
    return begin(worker);
  }

  private boolean canTakeAside() {
    return putAside.others() > 0 || putAside.hasLong() && mayBeginLong() || hasFated();
  }

  private boolean mayBeginLong() {
    return longUnderWay < QueueEngines.MOST_LONG;
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
    if (worker == poller
        && worker.verdict == null
        && (takesLong || io.mustWait(worker.command()))) {
      putAside(worker);
      return false;
    }
    if (takesLong && !mayBeginLong()) {
      putAside.add(worker.queue(), worker.command(), true);
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
    return poller == null && polls.unarmed() && !workers.othersWatch(worker);
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
    // One that is polled watches, but takes nothing that was put aside.
    boolean othersWatch =
        poller != null && canTakeAside()
            ? workers.watchingBeside(poller) > 0
            : workers.othersWatch(worker);
    if (worker.hasUnstarted()) {
      signals++;
    }
    if (othersWatch) {
      return null;
    }
    boolean work =
        workers.anyUnstarted()
            || fetches(worker) && rotation.waiting()
            || canTakeAside()
            || poller == null && (polls.wanted() || polls.unarmed());
    return work ? workers.takeIdle() : null;
  }

  /** A worker wants to go idle. */
  synchronized Leave leave(IoWorker worker) {
    settle(worker);
    boolean starved = rotation.markStarved();
    if (starved) {
      polls.disarm();
    }
    if (poller != null) {
      // What is rung for, and whether the host rings, is for the one that is polled.
      worker.tells |= starved && polls.inUse();
      return canTakeAside() || workers.anyLeftBehind() ? Leave.LOOK_AGAIN : idle(worker);
    }
    if (polls.wanted() || rotation.waiting() || canTakeAside() || workers.anyLeftBehind()) {
      return Leave.LOOK_AGAIN;
    }
    if (polls.unarmed() && !workers.othersWatch(worker)) {
      return Leave.ARM;
    }
    return idle(worker);
  }

  private static Leave idle(IoWorker worker) {
    worker.state = IoWorker.State.IDLE;
    return Leave.IDLE;
  }

  /** What is polled will not be for a while. */
  synchronized Leave rest(IoWorker worker) {
    settle(worker);
    if (rotation.markStarved()) {
      polls.disarm();
    }
    if (polls.wanted() || rotation.waiting() || hasFated() || workers.anyLeftBehind()) {
      return Leave.LOOK_AGAIN;
    }
    if (polls.unarmed()) {
      return Leave.ARM;
    }
    // Whoever leaves something behind must not count on it.
    worker.state = IoWorker.State.AWAY;
    return Leave.IDLE;
  }
}
