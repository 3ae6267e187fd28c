package dev.peerbar.devices.nvme.queue;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.GuardedWork;
import java.util.concurrent.locks.LockSupport;

/**
 * Has a worker work on one engine: it looks for commands until there are none for a while. Its job
 * is submitted again when there are.
 */
final class WorkerLoop {
  /** How long a worker looks for more before it goes idle, if looking has been worth it. */
  private static final long SPIN_NANOS = 25_000;

  /**
   * How long after its last command a worker looks at shadow doorbells now and then. As long as it
   * does the host need not ring, which costs it far more than such a look costs here.
   */
  private static final long WATCH_NANOS = 1_000_000;

  /** How long it sleeps between two looks. */
  private static final long NAP_NANOS = 20_000;

  /** A command that takes so long has waited for something, or for its processor. */
  private static final long SLOW_NANOS = 300_000;

  /**
   * How slow the last commands were: a slow one counts so much, a quick one takes away 1. From so
   * many on the next one is not what others had better wait for.
   */
  private static final int SLOW_COUNTS = 2;

  private static final int SLOW = 4;
  private static final int SLOWEST = 16;

  private final IoGeneration generation;
  private final Arbiter arbiter;
  private final IoWorker worker;
  private final Buffers buffers;
  private final Engine engine;
  private final GuardedWork work;

  private long lastCommand = System.nanoTime() - WATCH_NANOS;
  private int slowness;
  private long idleSince = System.nanoTime() - SPIN_NANOS;
  private long spinNanos = SPIN_NANOS;

  WorkerLoop(
      IoGeneration generation,
      Arbiter arbiter,
      IoWorker worker,
      QueueEngines.BufferedEngine buffered) {
    this.generation = generation;
    this.arbiter = arbiter;
    this.worker = worker;
    buffers = buffered.buffers();
    engine = buffered.engine();
    work = new GuardedWork(this::run, generation::workFailed);
  }

  /** Has the worker look for work. For the function's thread. */
  Engine.Ticket submit() {
    return work.submitTo(engine);
  }

  // On the engine's thread.

  private void run(Job job) throws DmaFaultException, JobEndedException {
    worker.begin(job, false);
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
        if (worker.fetch(job)) {
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
    ShadowDoorbells shadow = shadow();
    if (shadow != null && !worker.hasUnstarted()) {
      shadow.poll(job, buffers);
    }
    generation.raiseHeld(job, false);
    return worker.next(job);
  }

  /** The shadow doorbells to look at; null if there are none, or they are the poller's. */
  private ShadowDoorbells shadow() {
    return arbiter.isPolled() ? null : generation.shadow();
  }

  private void execute(Job job) throws DmaFaultException, JobEndedException {
    if (worker.verdict != null) {
      worker.execute(job);
      return;
    }
    if (slowness >= SLOW || worker.takesLong) {
      raise(job);
      generation.raiseHeld(job, true);
      goAway(job);
    } else if (slowness > 0) {
      // This one may be slow again, and nobody need look meanwhile.
      generation.raiseHeld(job, true);
    }
    long begin = System.nanoTime();
    worker.busySince(begin);
    try {
      worker.execute(job);
    } finally {
      worker.busySince(0);
    }
    lastCommand = System.nanoTime();
    long taken = lastCommand - begin;
    slowness =
        taken > SLOW_NANOS ? Math.min(slowness + SLOW_COUNTS, SLOWEST) : Math.max(slowness - 1, 0);
    generation.io().busy(taken);
  }

  private void goAway(Job job) throws DmaFaultException, JobEndedException {
    if (arbiter.mustArm(worker)) {
      generation.shadow().arm(job, buffers);
    }
    IoWorker other = arbiter.away(worker);
    if (other != null) {
      job.update(() -> generation.wake(other));
    }
  }

  private void raise(Job job) throws JobEndedException {
    if (worker.raise(job)) {
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
    do {
      ShadowDoorbells shadow = shadow();
      if (shadow != null) {
        shadow.poll(job, buffers);
      }
      generation.raiseHeld(job, false);
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
    ShadowDoorbells shadow = shadow();
    if (shadow == null) {
      return false;
    }
    while (System.nanoTime() - lastCommand < WATCH_NANOS && arbiter.watchesAlone(worker)) {
      LockSupport.parkNanos(NAP_NANOS);
      shadow.poll(job, buffers);
      generation.raiseHeld(job, false);
      if (arbiter.signals() != seen || arbiter.over()) {
        return true;
      }
    }
    return false;
  }

  /** Goes idle. Returns false if there is something to look at first. */
  private boolean leave(Job job) throws DmaFaultException, JobEndedException {
    generation.raiseHeld(job, true);
    switch (arbiter.leave(worker)) {
      case IDLE -> {
        idleSince = System.nanoTime();
        worker.tell(job);
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
    ShadowDoorbells shadow = shadow();
    long nanos = shadow == null ? 0 : shadow.rests();
    if (nanos > 0) {
      LockSupport.parkNanos(this, nanos);
    }
  }
}
