package dev.peerbar.devices.nvme.queue;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.List;

/**
 * Doorbells in host memory (NVMe 1.4 5.7, 7.13): the host stores into the shadow, and rings the
 * register only if it has passed the EventIdx that it finds. Once a queue has a shadow, a value
 * written to its register is a hint to look there: such a write may arrive late, when the shadow
 * has moved on.
 *
 * <p>For engines' threads, one at a time: {@link Arbiter#beginPoll} decides. That one alone moves
 * tails and heads of queues with a shadow.
 */
final class ShadowDoorbells {
  /** Room for the doorbells of every queue an endpoint can have, in bytes. */
  static final int MOST_BYTES = 4 << 10;

  private static final int PAIR_BYTES = 8;

  private final long buffer;
  private final long eventIdx;
  private final IoLife life;
  private final Arbiter arbiter;

  /** Bytes of the buffer that queues may use. */
  private final int length;

  ShadowDoorbells(long buffer, long eventIdx, int queues, IoLife life, Arbiter arbiter) {
    this.buffer = buffer;
    this.eventIdx = eventIdx;
    this.life = life;
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
      queue.shadowed = true;
    }
    for (CompletionQueue queue : completionQueues) {
      int head = queue.head;
      initialise(job, buffers, headOffset(queue.id), head);
      queue.seenHead = head;
      queue.eventHead = head;
      queue.shadowed = true;
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
    life.memory().write(job.dma(), address, doorbell);
  }

  int load(Job job, Buffers buffers, long offset) throws DmaFaultException, JobEndedException {
    MemorySegment doorbell = buffers.doorbell();
    life.memory().read(job.dma(), buffer + offset, doorbell);
    return doorbell.get(Buffers.INT, 0);
  }

  /** Looks for doorbells that the host has moved. Does nothing if another engine is at it. */
  void poll(Job job, Buffers buffers) throws DmaFaultException, JobEndedException {
    if (arbiter.beginPoll()) {
      try {
        if (current()) {
          look(job, buffers);
        }
      } finally {
        arbiter.endPoll(false);
      }
    }
  }

  /**
   * Tells the host to ring for whatever it adds, and looks once more: what it added before it could
   * know has not been rung for.
   */
  void arm(Job job, Buffers buffers) throws DmaFaultException, JobEndedException {
    if (!arbiter.beginPoll()) {
      return;
    }
    boolean armed = false;
    try {
      if (!current()) {
        return;
      }
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
      // The host stores its doorbell, then loads EventIdx; here it is the other way round.
      VarHandle.fullFence();
      armed = !look(job, buffers);
    } finally {
      arbiter.endPoll(armed);
    }
  }

  /** Whether the host has not configured others meanwhile. */
  private boolean current() {
    return life.shadow() == this;
  }

  /** Returns whether a doorbell has moved. */
  private boolean look(Job job, Buffers buffers) throws DmaFaultException, JobEndedException {
    MemorySegment all = buffers.doorbells(length);
    life.memory().read(job.dma(), buffer, all);
    boolean moved = false;
    for (SubmissionQueue queue : arbiter.submissionQueues()) {
      if (queue.shadowed && all.get(Buffers.INT, tailOffset(queue.id)) != queue.seenTail) {
        // The transfer of them all may tear: this one by itself does not.
        queue.seenTail = load(job, buffers, tailOffset(queue.id));
        moved = true;
        if (!arbiter.shadowTail(queue, queue.seenTail)) {
          life.invalidDoorbell(job);
        }
      }
    }
    boolean pin = arbiter.pinInUse();
    for (CompletionQueue queue : arbiter.completionQueues()) {
      if (queue.shadowed
          && (pin || queue.starved || queue.scarce())
          && all.get(Buffers.INT, headOffset(queue.id)) != queue.seenHead) {
        queue.seenHead = load(job, buffers, headOffset(queue.id));
        moved = true;
        if (!arbiter.shadowHead(queue, queue.seenHead)) {
          life.invalidDoorbell(job);
        } else if (pin) {
          life.raise(job);
        }
      }
    }
    return moved;
  }
}
