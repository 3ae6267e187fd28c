package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.endpoint.Engine;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * All queues of one generation of the controller, from CC.EN set to the end of that. For the
 * function's thread. After {@link #end} nothing of it is issued any more.
 */
public final class QueueSet {
  private static final int SMALLEST_QUEUE = 2;

  private final QueueSettings settings;
  private final QueueEngines engines;
  private final Events events;
  private final AdminEngine adminEngine;
  private final AdminQueue admin;
  private final Arbiter arbiter;
  private final IoGeneration generation;
  private final SubmissionQueue[] submissionQueues;
  private final CompletionQueue[] completionQueues;

  /** Jobs that wait for the engines' earlier ones. */
  private final List<Engine.Ticket> barrier = new ArrayList<>();

  /** As the host configured last; null before. */
  private ShadowDoorbells configured;

  private int enginesToCome;

  private QueueSet(
      QueueSettings settings,
      QueueEngines engines,
      AdminHandler handler,
      IoHandler io,
      Events events) {
    this.settings = settings;
    this.engines = engines;
    this.events = events;
    adminEngine = new AdminEngine(engines.admin(), events);
    admin = new AdminQueue(settings, engines, adminEngine, handler, events);
    // A host that polls all the time has a processor for it, and no more.
    boolean alone = engines.polled().engine().polling() == Engine.Polling.ALWAYS;
    int busyWorkers = alone ? 1 : Math.max(1, Runtime.getRuntime().availableProcessors() / 2);
    arbiter = new Arbiter(settings.weighted(), settings.arbitration(), busyWorkers, io);
    submissionQueues = new SubmissionQueue[settings.queues() + 1];
    completionQueues = new CompletionQueue[settings.queues() + 1];
    generation = new IoGeneration(settings, engines, io, events, arbiter);
  }

  /**
   * Begins a generation with its admin queues. Doorbells may ring at once; nothing is fetched
   * before the engines have left what they did for the generation before.
   *
   * @param ready CSTS.RDY may be set: runs on the function's thread, unless the generation ends
   *     before
   */
  public static QueueSet start(
      QueueSettings settings,
      QueueEngines engines,
      AdminHandler admin,
      IoHandler io,
      Events events,
      Runnable ready) {
    QueueSet set = new QueueSet(settings, engines, admin, io, events);
    set.awaitEngines(ready);
    return set;
  }

  private void awaitEngines(Runnable ready) {
    List<QueueEngines.BufferedEngine> all = new ArrayList<>(engines.io());
    all.add(engines.admin());
    enginesToCome = all.size();
    for (QueueEngines.BufferedEngine buffered : all) {
      barrier.add(
          buffered.engine().submit(job -> job.update(() -> arrived(ready)), this::startFailed));
    }
  }

  private void startFailed(Throwable cause) {
    if (!generation.over()) {
      events.fatal("the queues cannot be started: " + cause);
    }
  }

  private void arrived(Runnable ready) {
    enginesToCome--;
    if (enginesToCome == 0 && !generation.over()) {
      ready.run();
      admin.ready();
    }
  }

  /** Submission queue tail doorbell (NVMe 1.4 3.1.24). */
  public RingResult ringTail(int sqid, int value) {
    if (sqid == 0) {
      return admin.ringTail(value);
    }
    SubmissionQueue queue = at(submissionQueues, sqid);
    if (queue == null) {
      return RingResult.NO_SUCH_QUEUE;
    }
    if (value < 0 || value >= queue.entries) {
      return RingResult.INVALID_VALUE;
    }
    generation.wake(arbiter.tail(queue, value));
    return RingResult.OK;
  }

  /** Completion queue head doorbell (NVMe 1.4 3.1.25). */
  public RingResult ringHead(int cqid, int value) {
    if (cqid == 0) {
      return admin.ringHead(value);
    }
    CompletionQueue queue = at(completionQueues, cqid);
    if (queue == null) {
      return RingResult.NO_SUCH_QUEUE;
    }
    if (!arbiter.head(queue, value)) {
      return RingResult.INVALID_VALUE;
    }
    generation.wake(arbiter.wakeWatcher());
    if (settings.pinInUse().getAsBoolean()) {
      events.interruptStateChanged();
    }
    return RingResult.OK;
  }

  private static <T> T at(T[] queues, int id) {
    return id > 0 && id < queues.length ? queues[id] : null;
  }

  /**
   * Create I/O Completion Queue (NVMe 1.4 5.3). PC, and a vector other than 0 while MSI-X is off,
   * are the caller's to judge.
   *
   * @param entries not 0's based
   * @param interrupts IEN
   */
  public Status createCompletionQueue(
      int id, int entries, long address, int vector, boolean interrupts) {
    if (id <= 0 || id >= completionQueues.length || completionQueues[id] != null) {
      return Status.INVALID_QUEUE_IDENTIFIER;
    }
    Status status = judge(entries, address);
    if (status != Status.SUCCESS) {
      return status;
    }
    if (vector < 0 || vector >= settings.vectors()) {
      return Status.INVALID_INTERRUPT_VECTOR;
    }
    if (engines.memory().touches(address, (long) entries * CompletionEntry.BYTES)) {
      return Status.INVALID_USE_OF_CONTROLLER_MEMORY_BUFFER;
    }
    CompletionQueue queue = new CompletionQueue(id, entries, address, vector, interrupts);
    completionQueues[id] = queue;
    arbiter.add(queue);
    // A mapped doorbell still has what rang the last queue of this number.
    engines.host().clearDoorbell(NvmeRegisters.BAR, NvmeRegisters.completionDoorbell(id));
    setUp(List.of(), List.of(queue));
    return Status.SUCCESS;
  }

  private Status judge(int entries, long address) {
    if (entries < SMALLEST_QUEUE || entries > settings.mostEntries()) {
      return Status.INVALID_QUEUE_SIZE;
    }
    return (address & settings.pageSize() - 1) == 0 ? Status.SUCCESS : Status.PRP_OFFSET_INVALID;
  }

  /** Create I/O Submission Queue (NVMe 1.4 5.4). PC is the caller's to judge. */
  public Status createSubmissionQueue(
      int id, int entries, long address, int cqid, Priority priority) {
    CompletionQueue completions = at(completionQueues, cqid);
    if (id <= 0 || id >= submissionQueues.length || submissionQueues[id] != null) {
      return Status.INVALID_QUEUE_IDENTIFIER;
    }
    if (cqid <= 0 || cqid >= completionQueues.length) {
      return Status.INVALID_QUEUE_IDENTIFIER;
    }
    if (completions == null) {
      return Status.COMPLETION_QUEUE_INVALID;
    }
    Status status = judge(entries, address);
    if (status != Status.SUCCESS) {
      return status;
    }
    SubmissionQueue queue = new SubmissionQueue(id, entries, address, completions, priority);
    submissionQueues[id] = queue;
    arbiter.add(queue);
    engines.host().clearDoorbell(NvmeRegisters.BAR, NvmeRegisters.submissionDoorbell(id));
    setUp(List.of(queue), List.of());
    return Status.SUCCESS;
  }

  /**
   * Delete I/O Submission Queue (NVMe 1.4 5.6). Commands that have begun complete, those that were
   * fetched complete as aborted, the others are dropped.
   *
   * @param done told once the last command of the queue has completed, perhaps at once
   */
  public void deleteSubmissionQueue(int id, Consumer<Status> done) {
    SubmissionQueue queue = at(submissionQueues, id);
    if (queue == null) {
      done.accept(Status.INVALID_QUEUE_IDENTIFIER);
      return;
    }
    submissionQueues[id] = null;
    Runnable whenEmpty =
        () -> {
          if (!generation.over()) {
            arbiter.release(queue.completions);
            done.accept(Status.SUCCESS);
          }
        };
    if (arbiter.remove(queue, whenEmpty)) {
      whenEmpty.run();
    } else {
      // What is put aside is to be aborted.
      generation.wake(arbiter.wakeWatcher());
    }
  }

  /** Delete I/O Completion Queue (NVMe 1.4 5.5). */
  public Status deleteCompletionQueue(int id) {
    CompletionQueue queue = at(completionQueues, id);
    if (queue == null) {
      return Status.INVALID_QUEUE_IDENTIFIER;
    }
    if (arbiter.hasUsers(queue)) {
      return Status.INVALID_QUEUE_DELETION;
    }
    completionQueues[id] = null;
    arbiter.remove(queue);
    return Status.SUCCESS;
  }

  /** Whether there is such a submission queue; that of identifier 0 is the admin queue. */
  public boolean hasSubmissionQueue(int id) {
    return id == 0 || at(submissionQueues, id) != null;
  }

  /**
   * Abort (NVMe 1.4 5.1) of a command that was fetched and has not begun.
   *
   * @param aborted told true once the command has completed as aborted, or false
   */
  public void abort(int sqid, int commandId, Consumer<Boolean> aborted) {
    if (arbiter.abort(sqid, commandId, aborted)) {
      generation.wake(arbiter.wakeWatcher());
    } else {
      aborted.accept(false);
    }
  }

  /**
   * Doorbell Buffer Config (NVMe 1.4 5.7), for queues that are and those to come. What the buffers
   * hold is set to what the doorbells are before the command can complete.
   *
   * @param buffer of the shadow doorbells, page-aligned
   * @param eventIdx the EventIdx buffer, page-aligned
   */
  public void shadowDoorbells(long buffer, long eventIdx) {
    ShadowDoorbells doorbells =
        new ShadowDoorbells(buffer, eventIdx, settings.queues(), generation, arbiter);
    int adminTail = admin.tail();
    int adminHead = admin.completionHead();
    adminEngine.submit((job, buffers) -> {
      doorbells.initialise(job, buffers, ShadowDoorbells.tailOffset(0), adminTail);
      doorbells.initialise(job, buffers, ShadowDoorbells.headOffset(0), adminHead);
    });
    admin.shadow(doorbells);
    configured = doorbells;
    setUp(List.of(arbiter.submissionQueues()), List.of(arbiter.completionQueues()));
  }

  /** Has the admin engine begin to use the shadow for queues, ahead of all completions to come. */
  private void setUp(List<SubmissionQueue> submission, List<CompletionQueue> completion) {
    ShadowDoorbells doorbells = configured;
    if (doorbells == null) {
      return;
    }
    adminEngine.submit((job, buffers) -> {
      arbiter.beginSetUp();
      try {
        // First, as workers look there once a queue has a shadow.
        generation.shadow(doorbells);
        doorbells.setUp(job, buffers, submission, completion);
      } finally {
        arbiter.endPoll(false);
      }
    });
  }

  public void arbitration(ArbitrationFeature feature) {
    arbiter.feature(feature);
  }

  /**
   * The vectors below 32, a bit each, of completion queues with interrupts enabled and entries that
   * the host has not taken: what the pin shows, masked by INTMS.
   */
  public int pendingVectors() {
    return arbiter.pendingVectors() | (admin.occupied() ? 1 : 0);
  }

  /** Ends the generation: no more data, completions, interrupts, events, replies. */
  public void end() {
    generation.end();
    adminEngine.end();
    barrier.forEach(Engine.Ticket::end);
  }
}
