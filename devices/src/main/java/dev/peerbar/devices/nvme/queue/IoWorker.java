package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.Guard;
import dev.peerbar.engine.GuardedWork;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * Executes I/O commands of one generation on one engine: looks for work until there is none for a
 * while. Its job is submitted again when there is.
 */
final class IoWorker {
  /** How long a worker looks for more before it goes idle, if looking has been worth it. */
  private static final long SPIN_NANOS = 25_000;

  /**
   * How long after its last command a worker looks at shadow doorbells now and then. As long as it
   * does the host need not ring, which costs it far more than such a look costs here.
   */
  private static final long WATCH_NANOS = 1_000_000;

  /** How long it sleeps between two looks. */
  private static final long NAP_NANOS = 20_000;

  /** Completions that may wait for the interrupt of later ones. */
  private static final int MOST_UNRAISED = 8;

  /** A command that takes so long has waited for something, or for its processor. */
  private static final long SLOW_NANOS = 300_000;

  /**
   * How slow the last commands were: a slow one counts so much, a quick one takes away 1. From so
   * many on the next one is not what others had better wait for.
   */
  private static final int SLOW_COUNTS = 2;

  private static final int SLOW = 4;
  private static final int SLOWEST = 16;

  enum State {
    IDLE,
    WATCHING,
    AWAY
  }

  private final IoGeneration generation;
  private final Arbiter arbiter;
  private final Buffers buffers;
  private final GuardedWork work;
  private final Guard<Status> guard = CommandErrors.guard("an I/O command");
  private final Guard.Attempt<Status> execution = this::executeCommand;

  // Guarded by the arbiter: what others may look at.
  State state = State.IDLE;
  private final Batch batch = new Batch();

  // Set by the arbiter on this worker's thread.
  Status verdict;
  Consumer<Boolean> aborted;
  boolean takesLong;
  int slot;
  boolean phase;
  int sqHead;
  boolean unsettled;
  Runnable emptied;
  IoWorker helper;

  // The command that is being executed.
  private SubmissionQueue queue;
  private SubmissionEntry command;

  private volatile long busySince;
  private int unraised;
  private long lastCommand = System.nanoTime() - WATCH_NANOS;
  private int slowness;
  private long idleSince = System.nanoTime() - SPIN_NANOS;
  private long spinNanos = SPIN_NANOS;

  IoWorker(IoGeneration generation, Arbiter arbiter, Buffers buffers) {
    this.generation = generation;
    this.arbiter = arbiter;
    this.buffers = buffers;
    work = new GuardedWork(this::run, generation::workFailed);
  }

  /** Has the worker look for work. For the function's thread. */
  Engine.Ticket submitTo(Engine engine) {
    return work.submitTo(engine);
  }

  // For the arbiter, which holds its lock.

  Batch batch() {
    return batch;
  }

  boolean hasUnstarted(int sqid, int commandId) {
    if (batch.unstarted() == 0 || batch.queue().id != sqid) {
      return false;
    }
    for (int i = batch.next(); i < batch.count(); i++) {
      if (buffers.entry(i).commandId() == commandId) {
        return true;
      }
    }
    return false;
  }

  /** Begins the next command of the worker's own batch. Returns false if there is none. */
  boolean takeOwn() {
    return takeFrom(this);
  }

  /** Begins the next command of a worker's batch. Returns false if there is none. */
  boolean takeFrom(IoWorker other) {
    Batch from = other.batch;
    if (from.unstarted() == 0) {
      return false;
    }
    queue = from.queue();
    SubmissionEntry next = other.buffers.entry(from.take());
    command = other == this ? next : buffers.taken(next);
    return true;
  }

  /** Begins a command that was put aside. */
  void take(PutAside.Waiting aside) {
    queue = aside.queue();
    command = aside.entry();
  }

  SubmissionQueue queue() {
    return queue;
  }

  SubmissionEntry command() {
    return command;
  }

  /** When it began what it is doing, of {@link System#nanoTime}, or 0. */
  long busySince() {
    return busySince;
  }

  // On the engine's thread.

  private void run(Job job) throws DmaFaultException, JobEndedException {
    buffers.transfer().job(job.dma(), generation.pageSize(), arbiter::over);
    if (System.nanoTime() - idleSince < SPIN_NANOS) {
      spinNanos = SPIN_NANOS;
    }
    boolean waited = false;
    while (true) {
      if (arbiter.over()) {
        throw new JobEndedException();
      }
      int seen = arbiter.signals();
      Arbiter.Next next = look(job);
      if (next == Arbiter.Next.FETCH) {
        if (fetch(job)) {
          execute(job);
        }
        waited = false;
      } else if (next == Arbiter.Next.EXECUTE) {
        execute(job);
        waited = false;
      } else {
        raise(job);
        if (waited || !spin(job, seen) && !watch(job, seen)) {
          waited = true;
          if (leave(job)) {
            return;
          }
        }
      }
    }
  }

  private Arbiter.Next look(Job job) throws DmaFaultException, JobEndedException {
    ShadowDoorbells shadow = generation.shadow();
    if (shadow != null && batch.unstarted() == 0) {
      shadow.poll(job, buffers);
    }
    Arbiter.Next next = arbiter.next(this);
    afterSettling(job);
    return next;
  }

  private void afterSettling(Job job) throws JobEndedException {
    if (emptied != null) {
      Runnable done = emptied;
      emptied = null;
      job.update(done);
    }
  }

  /** Returns whether there is a command to execute. */
  private boolean fetch(Job job) throws DmaFaultException, JobEndedException {
    generation.memory().read(job.dma(), batch.address(), buffers.fetched(batch.count()));
    boolean begun = arbiter.fetched(this);
    if (helper != null) {
      wake(job, helper);
      helper = null;
    }
    return begun;
  }

  private void wake(Job job, IoWorker other) throws JobEndedException {
    job.update(() -> generation.wake(other));
  }

  private void execute(Job job) throws DmaFaultException, JobEndedException {
    buffers.transfer().begin();
    Status status = verdict;
    if (status == null) {
      if (slowness >= SLOW || takesLong) {
        raise(job);
        goAway(job);
      }
      long begin = System.nanoTime();
      busySince = begin;
      status = guard.run(execution);
      busySince = 0;
      slowness =
          System.nanoTime() - begin > SLOW_NANOS
              ? Math.min(slowness + SLOW_COUNTS, SLOWEST)
              : Math.max(slowness - 1, 0);
    }
    complete(job, status);
  }

  private Status executeCommand() throws JobEndedException {
    return generation.io().execute(command, buffers.transfer());
  }

  private void goAway(Job job) throws DmaFaultException, JobEndedException {
    if (arbiter.mustArm(this)) {
      generation.shadow().arm(job, buffers);
    }
    IoWorker other = arbiter.away(this);
    if (other != null) {
      wake(job, other);
    }
  }

  private void complete(Job job, Status status) throws DmaFaultException, JobEndedException {
    if (status != Status.SUCCESS) {
      // Ahead of the completion, or the host could ask for the log before it is there.
      tellFailure(job, status);
    }
    arbiter.takeSlot(this);
    CompletionEntry entry =
        new CompletionEntry(0, sqHead, queue.id, command.commandId(), phase, status);
    CompletionQueue completions = queue.completions;
    buffers.complete(job.dma(), completions.slotAddress(slot), entry);
    completions.unraised = true;
    unraised++;
    if (aborted != null) {
      Consumer<Boolean> done = aborted;
      aborted = null;
      job.update(() -> generation.unlessOver(() -> done.accept(true)));
    }
    if (unraised >= MOST_UNRAISED || batch.unstarted() == 0) {
      raise(job);
    }
  }

  private void tellFailure(Job job, Status status) throws JobEndedException {
    Transfer transfer = buffers.transfer();
    int sqid = queue.id;
    int commandId = command.commandId();
    int nsid = command.namespaceId();
    int parameter = transfer.parameter();
    long lba = transfer.lba();
    job.update(() -> generation.failed(sqid, commandId, status, parameter, lba, nsid));
    if (transfer.storageFailure().isPresent()) {
      var kind = transfer.storageFailure().get();
      job.update(() -> generation.storageFailed(kind));
    }
  }

  /** Has the interrupts raised of what was completed. */
  private void raise(Job job) throws JobEndedException {
    if (unraised > 0) {
      unraised = 0;
      arbiter.settle(this);
      afterSettling(job);
      generation.raise(job);
      lastCommand = System.nanoTime();
    }
  }

  /**
   * Waits a little for more to come. Returns whether it may have.
   *
   * @param seen the signals before the last look
   */
  private boolean spin(Job job, int seen) throws DmaFaultException, JobEndedException {
    long deadline = System.nanoTime() + spinNanos;
    ShadowDoorbells shadow = generation.shadow();
    do {
      if (shadow != null) {
        shadow.poll(job, buffers);
      }
      if (arbiter.signals() != seen || arbiter.over()) {
        spinNanos = SPIN_NANOS;
        return true;
      }
      Thread.onSpinWait();
    } while (System.nanoTime() - deadline < 0);
    spinNanos /= 2;
    return false;
  }

  /**
   * Waits longer for what shadow doorbells may bring, asleep. Returns whether more may have come.
   *
   * @param seen the signals before the last look
   */
  private boolean watch(Job job, int seen) throws DmaFaultException, JobEndedException {
    ShadowDoorbells shadow = generation.shadow();
    if (shadow == null) {
      return false;
    }
    while (System.nanoTime() - lastCommand < WATCH_NANOS && arbiter.watchesAlone(this)) {
      LockSupport.parkNanos(NAP_NANOS);
      shadow.poll(job, buffers);
      if (arbiter.signals() != seen || arbiter.over()) {
        return true;
      }
    }
    return false;
  }

  /** Goes idle. Returns false if there is something to look at first. */
  private boolean leave(Job job) throws DmaFaultException, JobEndedException {
    switch (arbiter.leave(this)) {
      case IDLE -> {
        idleSince = System.nanoTime();
        return true;
      }
      case ARM -> generation.shadow().arm(job, buffers);
      case LOOK_AGAIN -> {}
    }
    rest();
    return false;
  }

  /** Leaves shadow doorbells alone that cannot be reached. */
  private void rest() {
    ShadowDoorbells shadow = generation.shadow();
    long nanos = shadow == null ? 0 : shadow.rests();
    if (nanos > 0) {
      LockSupport.parkNanos(this, nanos);
    }
  }
}
