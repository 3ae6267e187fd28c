package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.Guard;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Executes I/O commands of one generation, as the {@link Arbiter} gives them to it: fetches
 * entries, executes each, writes its completion, raises interrupts. A {@link WorkerLoop} has it do
 * so on an engine, the {@link IoPoller} on the function's thread.
 */
final class IoWorker {
  /** Completions that may wait for the interrupt of later ones. */
  private static final int MOST_UNRAISED = 8;

  /** For the function's thread to look what there is to do, which it does after this. */
  private static final Runnable LOOK = () -> {};

  enum State {
    IDLE,
    WATCHING,
    AWAY
  }

  private final IoGeneration generation;
  private final Arbiter arbiter;
  private final Buffers buffers;
  private final Guard<Status> guard = CommandErrors.guard("an I/O command");
  private final Guard.Attempt<Status> execution = this::executeCommand;
  private final BooleanSupplier over;

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

  /** Whether the worker that is polled may have something to do that it cannot know of. */
  boolean tells;

  /** To be woken. */
  private final List<IoWorker> helpers = new ArrayList<>();

  // The command that is being executed.
  private SubmissionQueue queue;
  private SubmissionEntry command;

  private volatile long busySince;
  private int unraised;
  private boolean inPlace;

  IoWorker(IoGeneration generation, Arbiter arbiter, Buffers buffers) {
    this.generation = generation;
    this.arbiter = arbiter;
    this.buffers = buffers;
    over = arbiter::over;
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

  /** Whether it has fetched commands that nobody has begun. */
  boolean hasUnstarted() {
    return batch.unstarted() > 0;
  }

  /** Has a worker woken, unless there is none. */
  void needs(IoWorker helper) {
    if (helper != null) {
      helpers.add(helper);
    }
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

  void busySince(long time) {
    busySince = time;
  }

  // On the thread that it works on.

  /**
   * Begins to work for a job.
   *
   * @param polled whether it is on the function's thread, and never waits
   */
  void begin(Job job, boolean polled) {
    inPlace = polled;
    buffers.transfer().job(job.dma(), polled, generation.pageSize(), over);
  }

  /** Settles what it did, and returns what to do next. */
  Arbiter.Next next(Job job) throws JobEndedException {
    Arbiter.Next next = arbiter.next(this);
    afterSettling(job);
    wakeHelpers(job);
    return next;
  }

  private void afterSettling(Job job) throws JobEndedException {
    if (emptied != null) {
      Runnable done = emptied;
      emptied = null;
      job.update(done);
    }
    tell(job);
  }

  /** Has the worker that is polled look for what it may have to do. */
  void tell(Job job) throws JobEndedException {
    if (tells) {
      tells = false;
      job.update(LOOK);
    }
  }

  /** Reads the entries of its batch. Returns whether there is a command to execute. */
  boolean fetch(Job job) throws DmaFaultException, JobEndedException {
    generation.memory().read(job.dma(), batch.address(), buffers.fetched(batch.count()));
    boolean begun = arbiter.fetched(this);
    wakeHelpers(job);
    return begun;
  }

  private void wakeHelpers(Job job) throws JobEndedException {
    if (!helpers.isEmpty()) {
      List<IoWorker> all = List.copyOf(helpers);
      helpers.clear();
      if (inPlace) {
        all.forEach(generation::wake);
      } else {
        job.update(() -> all.forEach(generation::wake));
      }
    }
  }

  /** Executes its command. */
  void execute(Job job) throws DmaFaultException, JobEndedException {
    buffers.transfer().begin();
    Status status = verdict;
    if (status == null) {
      status = guard.run(execution);
    }
    complete(job, status);
  }

  private Status executeCommand() throws JobEndedException {
    return generation.io().execute(command, buffers.transfer());
  }

  private void complete(Job job, Status status) throws DmaFaultException, JobEndedException {
    if (status != Status.SUCCESS) {
      // Ahead of the completion, or the host could ask for the log before it is there.
      tellFailure(job, status);
    }
    arbiter.takeSlot(this);
    CompletionQueue completions = queue.completions;
    buffers.complete(
        job.dma(),
        completions.slotAddress(slot),
        sqHead,
        queue.id,
        command.commandId(),
        phase,
        status);
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

  /**
   * Has the interrupts raised of what was completed, but for what is held back. Returns whether
   * anything was completed.
   */
  boolean raise(Job job) throws JobEndedException {
    if (unraised == 0) {
      return false;
    }
    unraised = 0;
    arbiter.settle(this);
    afterSettling(job);
    generation.raise(job, false);
    return true;
  }

  /** Does no more: what it did is known. */
  void stop(Job job) throws JobEndedException {
    raise(job);
    wakeHelpers(job);
  }
}
