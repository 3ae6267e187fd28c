package dev.peerbar.devices.nvme.queue;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.List;

/**
 * Doorbells in host memory (NVMe 1.4 5.7, 7.13): the host stores into the shadow, and rings the
 * register only if it has passed the EventIdx that it finds.
 *
 * <p>That is what the specification wants of it. There are hosts that ring registers alone: those
 * of another device's queues, and most for the admin queues. So a register counts until its shadow
 * is seen to move, anew for each queue that is made. From then on a value written to the register
 * is a hint to look at the shadow: such a write may arrive late, when the shadow has moved on. A
 * host that uses the shadow stores there before it rings, so whoever looks at the register first
 * and then at a shadow that has not moved knows that the register is what is meant.
 *
 * <p>For engines' threads, one at a time: {@link Arbiter#beginPoll} decides. That one alone moves
 * tails and heads of queues with a shadow.
 *
 * <p>A look that the host has not rung for is no part of any command. If memory is not there, as
 * when its layout changes, nothing has failed: it is left alone for a while, for longer each time.
 * Where the host has rung there may be commands, or a ring that comes late, so that is fatal, but
 * not at once.
 */
final class ShadowDoorbells {
  /** Room for the doorbells of every queue an endpoint can have, in bytes. */
  static final int MOST_BYTES = 4 << 10;

  private static final int PAIR_BYTES = 8;

  /** How long memory that could not be reached is left alone, at first and at most. */
  private static final long SHORTEST_REST_NANOS = 20_000;

  private static final long LONGEST_REST_NANOS = 4_000_000;

  /** How often a look that the host has rung for may fail in a row: some tens of milliseconds. */
  private static final int MOST_FAILURES = 16;

  private final long buffer;
  private final long eventIdx;
  private final IoGeneration generation;
  private final Arbiter arbiter;

  /** Bytes of the buffer that queues may use. */
  private final int length;

  // What could not be reached: 0 if it could, or how long it is left alone, and since when.
  private volatile long restNanos;
  private volatile long restsSince;

  // For the engine that polls.
  private int failures;

  ShadowDoorbells(
      long buffer, long eventIdx, int queues, IoGeneration generation, Arbiter arbiter) {
    this.buffer = buffer;
    this.eventIdx = eventIdx;
    this.generation = generation;
    this.arbiter = arbiter;
    this.length = (queues + 1) * PAIR_BYTES;
  }

  static long tailOffset(int queue) {
    return (long) queue * PAIR_BYTES;
  }

  static long headOffset(int queue) {
    return (long) queue * PAIR_BYTES + Integer.BYTES;
  }

  /** Gives a doorbell and its EventIdx their first value. */
  void initialise(Job job, Buffers buffers, long offset, int value)
      throws DmaFaultException, JobEndedException {
    store(job, buffers, buffer + offset, value);
    store(job, buffers, eventIdx + offset, value);
  }

  /** Begins to use the shadow for queues, at what their doorbells are. */
  void setUp(
      Job job,
      Buffers buffers,
      List<SubmissionQueue> submissionQueues,
      List<CompletionQueue> completionQueues)
      throws DmaFaultException, JobEndedException {
    arbiter.useShadow();
    for (SubmissionQueue queue : submissionQueues) {
      int tail = queue.tail;
      initialise(job, buffers, tailOffset(queue.id), tail);
      queue.seenTail = tail;
      queue.eventTail = tail;
      arbiter.useShadow(queue);
    }
    for (CompletionQueue queue : completionQueues) {
      int head = queue.head;
      initialise(job, buffers, headOffset(queue.id), head);
      queue.seenHead = head;
      queue.eventHead = head;
      arbiter.useShadow(queue);
    }
  }

  void storeEvent(Job job, Buffers buffers, long offset, int value)
      throws DmaFaultException, JobEndedException {
    store(job, buffers, eventIdx + offset, value);
  }

  private void store(Job job, Buffers buffers, long address, int value)
      throws DmaFaultException, JobEndedException {
    MemorySegment doorbell = buffers.doorbell();
    doorbell.set(Buffers.INT, 0, value);
    generation.memory().write(job.dma(), address, doorbell);
  }

  /** Reads a doorbell until it is the same twice: not every memory is read without a tear. */
  int load(Job job, Buffers buffers, long offset) throws DmaFaultException, JobEndedException {
    int last = loadOnce(job, buffers, offset);
    while (true) {
      int value = loadOnce(job, buffers, offset);
      if (value == last) {
        return value;
      }
      last = value;
    }
  }

  private int loadOnce(Job job, Buffers buffers, long offset)
      throws DmaFaultException, JobEndedException {
    MemorySegment doorbell = buffers.doorbell();
    generation.memory().read(job.dma(), buffer + offset, doorbell);
    return doorbell.get(Buffers.INT, 0);
  }

  /** Looks for doorbells that the host has moved. Does nothing if another engine is at it. */
  void poll(Job job, Buffers buffers) throws DmaFaultException, JobEndedException {
    poll(job, buffers, false);
  }

  /**
   * Tells the host to ring for whatever it adds, and looks once more: what it added before it could
   * know has not been rung for.
   */
  void arm(Job job, Buffers buffers) throws DmaFaultException, JobEndedException {
    poll(job, buffers, true);
  }

  private void poll(Job job, Buffers buffers, boolean arms)
      throws DmaFaultException, JobEndedException {
    if (rests() > 0 || !arbiter.beginPoll()) {
      return;
    }
    boolean armed = false;
    try {
      if (!current()) {
        return;
      }
      if (arms) {
        tell(job, buffers);
        // The host stores its doorbell, then loads EventIdx; here it is the other way round.
        VarHandle.fullFence();
      }
      armed = !look(job, buffers) && arms;
      if (restNanos != 0) {
        restNanos = 0;
        failures = 0;
      }
    } catch (DmaFaultException fault) {
      failures = arbiter.failPoll() ? failures + 1 : 0;
      if (failures == MOST_FAILURES) {
        throw fault;
      }
      restNanos = Math.clamp(2 * restNanos, SHORTEST_REST_NANOS, LONGEST_REST_NANOS);
      restsSince = System.nanoTime();
    } finally {
      arbiter.endPoll(armed);
    }
  }

  /** For how many nanoseconds from now on there is no use in looking. */
  long rests() {
    long rest = restNanos;
    return rest == 0 ? 0 : Math.max(0, restsSince + rest - System.nanoTime());
  }

  private void tell(Job job, Buffers buffers) throws DmaFaultException, JobEndedException {
    for (SubmissionQueue queue : arbiter.submissionQueues()) {
      if (queue.shadowed && queue.eventTail != queue.tail) {
        storeEvent(job, buffers, tailOffset(queue.id), queue.tail);
        queue.eventTail = queue.tail;
      }
    }
    for (CompletionQueue queue : arbiter.completionQueues()) {
      if (queue.shadowed
          && (queue.starved || arbiter.pinInUse())
          && queue.eventHead != queue.head) {
        storeEvent(job, buffers, headOffset(queue.id), queue.head);
        queue.eventHead = queue.head;
      }
    }
  }

  /** Whether the host has not configured others meanwhile. */
  private boolean current() {
    return generation.shadow() == this;
  }

  /** Returns whether a doorbell has moved. */
  private boolean look(Job job, Buffers buffers) throws DmaFaultException, JobEndedException {
    MemorySegment all = buffers.doorbells(length);
    generation.memory().look(job.dma(), buffer, all);
    boolean moved = false;
    for (SubmissionQueue queue : arbiter.submissionQueues()) {
      moved |= queue.shadowed && lookAt(job, buffers, queue, all);
    }
    boolean pin = arbiter.pinInUse();
    for (CompletionQueue queue : arbiter.completionQueues()) {
      if (queue.shadowed
          && (pin || queue.unraised || queue.starved || queue.scarce())
          && lookAt(job, buffers, queue, all)) {
        moved = true;
        if (pin) {
          generation.pinMayChange(job);
        }
      }
    }
    return moved;
  }

  private boolean lookAt(Job job, Buffers buffers, SubmissionQueue queue, MemorySegment all)
      throws DmaFaultException, JobEndedException {
    int rung = queue.rungTail;
    boolean rings = !queue.usesShadow && rung != queue.seenRung;
    if (!rings && all.get(Buffers.INT, tailOffset(queue.id)) == queue.seenTail) {
      return false;
    }
    // The transfer of them all may tear, and came before the register was looked at.
    int shadow = load(job, buffers, tailOffset(queue.id));
    if (shadow != queue.seenTail) {
      queue.seenTail = shadow;
      queue.usesShadow = true;
    } else if (!rings) {
      return false;
    }
    queue.seenRung = rung;
    if (!arbiter.polledTail(queue, queue.usesShadow ? shadow : rung)) {
      generation.invalidDoorbell(job);
    }
    return true;
  }

  private boolean lookAt(Job job, Buffers buffers, CompletionQueue queue, MemorySegment all)
      throws DmaFaultException, JobEndedException {
    int rung = queue.rungHead;
    boolean rings = !queue.usesShadow && rung != queue.seenRung;
    if (!rings && all.get(Buffers.INT, headOffset(queue.id)) == queue.seenHead) {
      return false;
    }
    int shadow = load(job, buffers, headOffset(queue.id));
    if (shadow != queue.seenHead) {
      queue.seenHead = shadow;
      queue.usesShadow = true;
    } else if (!rings) {
      return false;
    }
    queue.seenRung = rung;
    if (!arbiter.polledHead(queue, queue.usesShadow ? shadow : rung)) {
      generation.invalidDoorbell(job);
    }
    return true;
  }
}
