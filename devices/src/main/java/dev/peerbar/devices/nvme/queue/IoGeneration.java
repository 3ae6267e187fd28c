package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.storage.StorageException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/** The I/O workers of one generation: what they share, how they are woken, what they have told. */
final class IoGeneration {
  private final QueueSettings settings;
  private final QueueEngines engines;
  private final IoHandler io;
  private final Events events;
  private final Arbiter arbiter;
  private final CompletionInterrupts interrupts;
  private final Map<IoWorker, WorkerLoop> workers = new HashMap<>();

  /** The last job of each worker. An older one has done all that a ticket can end. */
  private final Map<IoWorker, Engine.Ticket> tickets = new HashMap<>();

  private Engine.Ticket polling = Engine.Ticket.NONE;

  private final AtomicBoolean pinPending = new AtomicBoolean();
  private volatile ShadowDoorbells shadow;
  private boolean over;

  IoGeneration(
      QueueSettings settings, QueueEngines engines, IoHandler io, Events events, Arbiter arbiter) {
    this.settings = settings;
    this.engines = engines;
    this.io = io;
    this.events = events;
    this.arbiter = arbiter;
    interrupts = new CompletionInterrupts(settings, arbiter, System::nanoTime);
    for (QueueEngines.BufferedEngine buffered : engines.io()) {
      IoWorker worker = new IoWorker(this, arbiter, buffered.buffers());
      arbiter.add(worker);
      workers.put(worker, new WorkerLoop(this, arbiter, worker, buffered));
    }
    poll(engines.polled());
  }

  private void poll(QueueEngines.BufferedEngine polled) {
    if (polled.engine().polling() != Engine.Polling.NEVER) {
      IoWorker worker = new IoWorker(this, arbiter, polled.buffers());
      arbiter.polled(worker);
      IoPoller poller = new IoPoller(this, arbiter, worker, polled.buffers());
      polling = polled.engine().poll(poller, this::workFailed);
    }
  }

  // Any thread.

  int pageSize() {
    return settings.pageSize();
  }

  ControllerMemory memory() {
    return engines.memory();
  }

  IoHandler io() {
    return io;
  }

  /** Null until there are any. */
  ShadowDoorbells shadow() {
    return shadow;
  }

  void shadow(ShadowDoorbells doorbells) {
    shadow = doorbells;
  }

  /** Raises the vectors of completion queues, as {@link CompletionInterrupts#raise}. */
  void raise(Job job, boolean all) throws JobEndedException {
    if (interrupts.raise(job, all)) {
      pinMayChange(job);
    }
  }

  /** Raises what has been held back and need not be any more, or all of it. */
  void raiseHeld(Job job, boolean all) throws JobEndedException {
    if (interrupts.held()) {
      raise(job, all);
    }
  }

  /** Whether {@link #raiseHeld} may have something to do. */
  boolean holdsInterrupts() {
    return interrupts.held();
  }

  /** Has the pin follow what is in the completion queues, if interrupts go by it. */
  void pinMayChange(Job job) throws JobEndedException {
    // Asked after raising, which looks at the same switch in order with its changes.
    boolean pin = interrupts.pinInUse();
    // One is enough for all that was completed before it runs.
    if (pin && !pinPending.getAndSet(true)) {
      job.update(this::showPin);
    }
  }

  /** A shadow doorbell has a value that cannot be. */
  void invalidDoorbell(Job job) throws JobEndedException {
    job.update(() -> unlessOver(events::invalidDoorbell));
  }

  // The function's thread.

  /** Has a worker look for work. */
  void wake(IoWorker worker) {
    if (worker != null && !over) {
      tickets.put(worker, workers.get(worker).submit());
    }
  }

  /** The host is about to be told to ring. */
  void expectDoorbells() {
    Host host = engines.host();
    for (SubmissionQueue queue : arbiter.submissionQueues()) {
      host.expectDoorbell(NvmeRegisters.BAR, NvmeRegisters.submissionDoorbell(queue.id));
    }
    for (CompletionQueue queue : arbiter.completionQueues()) {
      host.expectDoorbell(NvmeRegisters.BAR, NvmeRegisters.completionDoorbell(queue.id));
    }
  }

  private void showPin() {
    pinPending.set(false);
    if (over) {
      return;
    }
    boolean pin = settings.pinInUse().getAsBoolean();
    wake(arbiter.pinInUse(pin));
    if (pin) {
      events.interruptStateChanged();
    }
  }

  /** An I/O queue cannot be reached, or what works for the queues has thrown. */
  void workFailed(Throwable cause) {
    unlessOver(() -> events.fatal(Events.why("an I/O queue", cause)));
  }

  void failed(int sqid, int commandId, Status status, int parameter, long lba, int nsid) {
    unlessOver(() -> events.failed(sqid, commandId, status, parameter, lba, nsid));
  }

  void storageFailed(StorageException.Kind kind) {
    unlessOver(() -> events.storageFailed(kind));
  }

  void unlessOver(Runnable change) {
    if (!over) {
      change.run();
    }
  }

  boolean over() {
    return over;
  }

  void end() {
    over = true;
    arbiter.end();
    polling.end();
    tickets.values().forEach(Engine.Ticket::end);
  }
}
