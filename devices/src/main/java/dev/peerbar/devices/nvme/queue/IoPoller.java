package dev.peerbar.devices.nvme.queue;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.MustWaitException;

/**
 * What the function's thread does for the queues of one generation, where the host polls: looks at
 * shadow doorbells and executes commands to the end. Those that have to wait it puts aside for
 * workers.
 *
 * <p>It does so as long as queues and shadow doorbells are in memory that is there to be touched.
 * Once they are not, because that memory was lent without a descriptor or lies on a disk, it leaves
 * all to the workers until the generation ends.
 */
final class IoPoller implements Engine.Polled {
  /** How much data is moved before anything else is looked at, in bytes. */
  private static final long TURN_BYTES = 256 << 10;

  /** The same, in commands: many move nothing. */
  private static final int TURN_COMMANDS = 128;

  private final IoGeneration generation;
  private final Arbiter arbiter;
  private final Buffers buffers;
  private final IoWorker worker;

  private int seen;
  private boolean retired;

  /** Whose completions are known to be in reach during this turn. */
  private SubmissionQueue inReach;

  IoPoller(IoGeneration generation, Arbiter arbiter, IoWorker worker, Buffers buffers) {
    this.generation = generation;
    this.arbiter = arbiter;
    this.buffers = buffers;
    this.worker = worker;
    lookAgain();
  }

  @Override
  public boolean poll(Job job) throws JobEndedException {
    ShadowDoorbells shadow = generation.shadow();
    if (retired || shadow == null && !hasWork() && !generation.holdsInterrupts()) {
      return false;
    }
    try {
      if (shadow != null) {
        shadow.poll(job, buffers);
      }
      generation.raiseHeld(job, false);
      if (!hasWork()) {
        return false;
      }
      takeTurn(job);
    } catch (MustWaitException _) {
      retire(job);
    } catch (DmaFaultException fault) {
      generation.workFailed(fault);
    }
    return true;
  }

  private boolean hasWork() {
    return seen != arbiter.signals() || worker.hasUnstarted();
  }

  private void takeTurn(Job job) throws DmaFaultException, JobEndedException {
    worker.begin(job, true);
    inReach = null;
    long begin = System.nanoTime();
    long end = buffers.transfer().moved() + TURN_BYTES;
    boolean more = true;
    for (int left = TURN_COMMANDS;
        more && left > 0 && buffers.transfer().moved() - end < 0;
        left--) {
      seen = arbiter.signals();
      Arbiter.Next next = worker.next(job);
      more = next != Arbiter.Next.NOTHING;
      if (next == Arbiter.Next.EXECUTE || more && fetch(job)) {
        execute(job);
      }
    }
    if (more) {
      // Nothing tells of it again.
      lookAgain();
    }
    worker.stop(job);
    generation.io().busy(System.nanoTime() - begin);
  }

  /** Has the next turn look for work, whether or not more has come. */
  private void lookAgain() {
    seen = arbiter.signals() - 1;
  }

  private boolean fetch(Job job) throws DmaFaultException, JobEndedException {
    if (!completes(job, worker.batch().queue())) {
      throw MustWaitException.INSTANCE;
    }
    return worker.fetch(job);
  }

  private void execute(Job job) throws DmaFaultException, JobEndedException {
    if (!completes(job, worker.queue())) {
      arbiter.putAside(worker);
      throw MustWaitException.INSTANCE;
    }
    try {
      worker.execute(job);
    } catch (MustWaitException _) {
      arbiter.putAside(worker);
    }
  }

  /** Whether completions can be written: nothing can be undone once a command is executed. */
  private boolean completes(Job job, SubmissionQueue queue) {
    if (queue != inReach) {
      CompletionQueue completions = queue.completions;
      if (generation.memory().mayWait(job.dma(), completions.address, completions.bytes())) {
        return false;
      }
      inReach = queue;
    }
    return true;
  }

  private void retire(Job job) throws JobEndedException {
    retired = true;
    worker.stop(job);
    generation.raiseHeld(job, true);
    generation.wake(arbiter.retire(worker));
  }

  @Override
  public boolean rest(Job job) throws JobEndedException {
    if (retired) {
      return true;
    }
    try {
      generation.raiseHeld(job, true);
      switch (arbiter.rest(worker)) {
        case IDLE -> {
          return true;
        }
        case ARM -> arm(job, generation.shadow());
        case LOOK_AGAIN -> lookAgain();
      }
    } catch (MustWaitException _) {
      retire(job);
    } catch (DmaFaultException fault) {
      generation.workFailed(fault);
    }
    return false;
  }

  private void arm(Job job, ShadowDoorbells shadow) throws DmaFaultException, JobEndedException {
    // It rings now and then only, and may do so with the value of the last time.
    generation.expectDoorbells();
    shadow.arm(job, buffers);
    if (shadow.rests() > 0) {
      // They cannot be reached, and somebody has to look again later. Workers can sleep till then.
      throw MustWaitException.INSTANCE;
    }
  }
}
