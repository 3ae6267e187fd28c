package dev.peerbar.devices.nvme.queue;

import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import java.util.function.LongSupplier;

/**
 * When the vectors of I/O completion queues are raised. For any thread that has a job.
 *
 * <p>An interrupt that the host has not answered, by moving the head of its queue, stands for what
 * completes meanwhile: a host that takes all it finds needs no other one, and each costs it more
 * than a completion costs here. What it may have missed is raised when it has answered, or when it
 * took too long. That is no aggregation (NVMe 1.4 5.21.1.8), for which a host sets a time: the
 * first entry after an answer interrupts at once. A host that has coalescing disabled for a vector
 * gets its interrupts one by one.
 */
final class CompletionInterrupts {
  /** How long an interrupt stands for later completions at most. */
  static final long STANDS_NANOS = 100_000;

  private final QueueSettings settings;
  private final Arbiter arbiter;
  private final LongSupplier nanoTime;

  /** Whether one may be held back. */
  private volatile boolean held;

  /**
   * @param nanoTime as {@link System#nanoTime}
   */
  CompletionInterrupts(QueueSettings settings, Arbiter arbiter, LongSupplier nanoTime) {
    this.settings = settings;
    this.arbiter = arbiter;
    this.nanoTime = nanoTime;
  }

  /** Whether an interrupt may be held back, so that it is to be asked again. */
  boolean held() {
    return held;
  }

  /**
   * Raises what is to be raised.
   *
   * @param all also what could be held back: the caller will not ask again soon
   * @return whether there was anything
   */
  boolean raise(Job job, boolean all) throws JobEndedException {
    // First, so that what others hold back meanwhile is not forgotten.
    held = false;
    boolean any = false;
    for (CompletionQueue queue : arbiter.completionQueues()) {
      if (!queue.unraised) {
        continue;
      }
      if (!all && stands(queue)) {
        held = true;
      } else {
        queue.unraised = false;
        if (queue.interrupts) {
          any = true;
          raise(job, queue);
        }
      }
    }
    return any;
  }

  private boolean stands(CompletionQueue queue) {
    return queue.interrupts
        && !queue.answered
        && nanoTime.getAsLong() - queue.raisedAt < STANDS_NANOS
        && !pinInUse()
        && !settings.uncoalesced().test(queue.vector);
  }

  private void raise(Job job, CompletionQueue queue) throws JobEndedException {
    // Ahead of the interrupt: an answer to it must not be taken for none.
    queue.raisedAt = nanoTime.getAsLong();
    queue.answered = false;
    job.raise(queue.vector);
  }

  /** Whether interrupts go by the pin, or did when that was looked at last. */
  boolean pinInUse() {
    return settings.pinInUse().getAsBoolean() || arbiter.pinInUse();
  }
}
