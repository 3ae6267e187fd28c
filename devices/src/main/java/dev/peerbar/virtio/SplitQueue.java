package dev.peerbar.virtio;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.invoke.VarHandle;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A split virtqueue from the moment it is started to its reset (Virtual I/O Device 1.3, 2.7). For
 * the engine's thread, but for {@link #stop}.
 *
 * <p>The device reads {@code avail.idx} before what it covers, and writes what {@code used.idx}
 * covers before it: transfers by a job happen in order. Twice it stores and then loads what a
 * driver does the other way round, which takes a fence between: {@code avail_event} and then {@code
 * avail.idx}, {@code used.idx} and then {@code used_event} (or the flags in their place).
 *
 * <p>Nothing that a driver writes throws here. What it must not do, and memory that is not there,
 * is told, and the queue does nothing more until it is reset.
 */
final class SplitQueue {
  private static final Logger LOG = LoggerFactory.getLogger(SplitQueue.class);

  /** No index: 16 bits are never it. */
  private static final int NOWHERE = -1;

  /**
   * Where its three parts are, and what its driver wants.
   *
   * @param index of the queue
   * @param size descriptors
   * @param table IOVA of the descriptors
   * @param available IOVA of the driver's ring
   * @param used IOVA of the device's ring
   * @param indirect whether INDIRECT_DESC was negotiated
   * @param events whether EVENT_IDX was
   */
  record Layout(
      int index,
      int size,
      long table,
      long available,
      long used,
      boolean indirect,
      boolean events) {}

  /** What it tells on the function's thread. */
  interface Owner {

    /** The vector of the queue. For any thread. */
    int vector();

    /** A buffer was used, and its interrupt could not be signalled at once. */
    void usedBuffer();

    /** There is more to do, after what the engine has been given meanwhile. */
    void lookAgain();

    /**
     * The queue has stopped.
     *
     * @param why a sentence
     */
    void stoppedWorking(String why);
  }

  private final Layout layout;
  private final VirtioDevice device;
  private final QueueEngine engine;
  private final DescriptorReader reader;
  private final RingMemory memory;
  private final Owner owner;
  private final Runnable usedUpdate;
  private final Runnable againUpdate;

  private volatile boolean stopped;

  private boolean broken;

  /** The available entry that is looked at next: 16 bits. */
  private int next;

  /** The used entry that is written next: 16 bits. */
  private int usedIndex;

  /** The last {@code avail_event}. */
  private int event = NOWHERE;

  /** Whether F_NO_NOTIFY is set. */
  private boolean quiet;

  /** Whether the device has a request that was not handed over before. */
  private boolean begun;

  /** A request that was completed at once, to be the next one. */
  private RingRequest spare;

  SplitQueue(
      Layout layout,
      VirtioDevice device,
      QueueEngine engine,
      DescriptorReader reader,
      RingMemory memory,
      Owner owner) {
    this.layout = layout;
    this.device = device;
    this.engine = engine;
    this.reader = reader;
    this.memory = memory;
    this.owner = owner;
    usedUpdate = owner::usedBuffer;
    againUpdate = owner::lookAgain;
    spare = new RingRequest(this);
  }

  /** It has been reset; its jobs are ended next. For the function's thread. */
  void stop() {
    stopped = true;
  }

  /** For any thread. */
  boolean stopped() {
    return stopped;
  }

  /**
   * @throws IllegalStateException if a reset of the queue would not end the job
   */
  void checkJob(Job job) {
    if (!engine.runs(job)) {
      throw new IllegalStateException(
          "Requests of queue %d are for jobs of its own.".formatted(layout.index));
    }
  }

  /** Takes what is available, for the length of the ring at most. */
  void run(Job job) throws JobEndedException {
    if (broken || stopped) {
      return;
    }
    try {
      for (int taken = 0; !idle(job); taken++) {
        if (taken == layout.size) {
          // Others have their turn, who may be on the same engine.
          job.update(againUpdate);
          return;
        }
        quieten(job);
        take(job);
        if (broken) {
          return;
        }
      }
    } catch (MalformedRingException e) {
      fail(job, e.getMessage());
    } catch (DmaFaultException fault) {
      // What was not begun is looked for again once the function may master the bus.
      if (begun || fault.reason() != DmaFaultException.Reason.BUS_MASTER_DISABLED) {
        fail(job, fault.getMessage());
      }
    }
  }

  /**
   * Whether nothing is available; then the driver notifies of what it adds next.
   *
   * @throws MalformedRingException if more is available than can be
   */
  private boolean idle(Job job)
      throws DmaFaultException, JobEndedException, MalformedRingException {
    if (available(job)) {
      return false;
    }
    if (armed()) {
      return true;
    }
    arm(job);
    // The driver stores avail.idx, then loads avail_event or the flags.
    VarHandle.fullFence();
    return !available(job);
  }

  private boolean available(Job job)
      throws DmaFaultException, JobEndedException, MalformedRingException {
    int end = memory.changingWord(job, layout.available + SplitRing.AVAILABLE_INDEX);
    int count = end - next & SplitRing.INDEX_MASK;
    if (count > layout.size) {
      throw new MalformedRingException("More buffers are available than the queue has.");
    }
    return count != 0;
  }

  private boolean armed() {
    return layout.events ? event == next : !quiet;
  }

  private void arm(Job job) throws DmaFaultException, JobEndedException {
    if (layout.events) {
      memory.putWord(job, layout.used + SplitRing.availableEvent(layout.size), next);
      event = next;
    } else {
      memory.putWord(job, layout.used + SplitRing.USED_FLAGS, 0);
      quiet = false;
    }
  }

  /** There is no need to be notified. With events the last one has been passed, which says so. */
  private void quieten(Job job) throws DmaFaultException, JobEndedException {
    if (!layout.events && !quiet) {
      memory.putWord(job, layout.used + SplitRing.USED_FLAGS, SplitRing.F_NO_NOTIFY);
      quiet = true;
    }
  }

  private void take(Job job) throws DmaFaultException, JobEndedException, MalformedRingException {
    int slot = next & layout.size - 1;
    int head =
        memory.word(
            job,
            layout.available
                + SplitRing.AVAILABLE_RING
                + (long) slot * SplitRing.AVAILABLE_ENTRY_BYTES);
    if (head >= layout.size) {
      throw new MalformedRingException("A chain that begins beyond the table.");
    }
    RingRequest request = spare == null ? new RingRequest(this) : spare;
    spare = null;
    request.begin(head);
    reader.read(job, layout.table, layout.size, layout.indirect, request);
    next = next + 1 & SplitRing.INDEX_MASK;
    begun = true;
    try {
      device.handle(layout.index, request, job);
    } catch (RuntimeException | Error e) {
      LOG.error("a request of queue {} cannot be carried out", layout.index, e);
      fail(job, "The device failed.");
    }
    begun = false;
    if (request.completed()) {
      spare = request;
    }
  }

  /**
   * Gives a chain back.
   *
   * @param written in bytes, not more than it has
   */
  void complete(Job job, int head, long written) throws JobEndedException {
    if (broken) {
      return;
    }
    try {
      int slot = usedIndex & layout.size - 1;
      memory.putUsedEntry(
          job,
          layout.used + SplitRing.USED_RING + (long) slot * SplitRing.USED_ENTRY_BYTES,
          head,
          // 2^32 is one more than there is room for.
          (int) Math.min(written, 0xffff_ffffL));
      int before = usedIndex;
      usedIndex = usedIndex + 1 & SplitRing.INDEX_MASK;
      memory.putWord(job, layout.used + SplitRing.USED_INDEX, usedIndex);
      // The driver stores used_event or its flags, then loads used.idx.
      VarHandle.fullFence();
      if (interrupts(job, before)) {
        interrupt(job);
      }
    } catch (DmaFaultException fault) {
      fail(job, fault.getMessage());
    }
  }

  private boolean interrupts(Job job, int before) throws DmaFaultException, JobEndedException {
    if (layout.events) {
      int wanted = memory.changingWord(job, layout.available + SplitRing.usedEvent(layout.size));
      return SplitRing.passed(wanted, before, usedIndex);
    }
    int flags = memory.word(job, layout.available + SplitRing.AVAILABLE_FLAGS);
    return (flags & SplitRing.F_NO_INTERRUPT) == 0;
  }

  private void interrupt(Job job) throws JobEndedException {
    int vector = owner.vector();
    if (vector == VirtioPci.NO_VECTOR || !job.signal(vector)) {
      job.update(usedUpdate);
    }
  }

  private void fail(Job job, String why) throws JobEndedException {
    broken = true;
    job.update(() -> owner.stoppedWorking(why));
  }
}
