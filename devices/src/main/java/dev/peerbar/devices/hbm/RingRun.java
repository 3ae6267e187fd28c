package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * One run of a channel: the entries from one index up to another, in order, on the engine's thread.
 *
 * <p>Descriptors are fetched {@value #FETCH_ENTRIES} at a time, so one that is changed after its
 * doorbell may run as it was.
 *
 * <p>The engine counts what is complete, and the function's thread looks when somebody asks: to be
 * told of each entry it would have to wake up for each. It is woken when it has something to do: to
 * raise an interrupt that is held back, to halt the channel, or to run entries that were made valid
 * meanwhile.
 */
final class RingRun implements Engine.Work {
  static final int FETCH_ENTRIES = 16;
  static final int FETCH_BYTES = FETCH_ENTRIES * Descriptor.BYTES;

  /** The channel of a run: what the run tells it, on the function's thread, and what it asks. */
  interface Owner {
    /**
     * Some entries are complete.
     *
     * @param head the next one to run
     * @param count how many
     */
    void completed(int head, int count);

    /** The entry at HEAD could not be completed. */
    void failed(ErrorCode error, long address);

    /** An entry has asked for an interrupt, which the engine could not signal. */
    void interrupt();

    /** Which vector to signal. For the engine's thread. */
    int vector();

    /** One past the last valid entry. For the engine's thread. */
    int tail();
  }

  /** Made beforehand: there may be no memory for it when it is needed. */
  private static final Outcome.Failed BROKEN = new Outcome.Failed(ErrorCode.ABORTED, 0, 0);

  private final long base;
  private final int entries;
  private final int from;
  private final int end;
  private final MemorySegment fetched;
  private final DescriptorExecutor executor;
  private final Owner owner;

  /** Whether an interrupt waits for the function's thread. */
  private final AtomicBoolean held;

  // Written by the engine's thread alone: entries that are complete, and why there will be no more.
  private volatile int finished;
  private volatile Outcome.Failed failure;

  // What the owner knows of it. For the function's thread.
  private int told;
  private boolean toldFailure;

  /**
   * @param base IOVA of the ring
   * @param entries of the ring, a power of two
   * @param from first entry to run
   * @param end one past the last entry to run, not {@code from}
   * @param fetched room for {@link #FETCH_BYTES}
   * @param held shared by the runs between an enable and the next: an interrupt belongs to the
   *     channel, and may have to be raised after the next run has begun
   */
  RingRun(
      long base,
      int entries,
      int from,
      int end,
      MemorySegment fetched,
      DescriptorExecutor executor,
      AtomicBoolean held,
      Owner owner) {
    this.base = base;
    this.entries = entries;
    this.from = from;
    this.end = end;
    this.fetched = fetched;
    this.executor = executor;
    this.held = held;
    this.owner = owner;
  }

  /**
   * Tells the owner what became of entries since it was told last. For the function's thread, at
   * any time; once the job has ended, only if what it has done is to count.
   */
  void tell() {
    // In this order: what is complete before a failure is seen together with it.
    Outcome.Failed failed = failure;
    int complete = finished;
    if (complete != told) {
      int news = complete - told;
      told = complete;
      owner.completed((from + complete) & (entries - 1), news);
    }
    if (failed != null && !toldFailure) {
      toldFailure = true;
      owner.failed(failed.error(), failed.address());
    }
    if (held.compareAndSet(true, false)) {
      owner.interrupt();
    }
  }

  @Override
  public void run(Job job) throws JobEndedException {
    try {
      runAll(job);
    } catch (RuntimeException | Error e) {
      // For whoever looks before the host has told the channel.
      failure = BROKEN;
      throw e;
    }
  }

  private void runAll(Job job) throws JobEndedException {
    int at = from;
    while (at != end) {
      int count;
      try {
        count = fetch(job, at);
      } catch (DmaFaultException fault) {
        fail(job, new Outcome.Failed(ErrorCode.of(fault), fault.iova(), 0));
        return;
      }
      for (int i = 0; i < count; i++) {
        if (!runOne(job, Descriptor.at(fetched, (long) i * Descriptor.BYTES))) {
          return;
        }
      }
      at = (at + count) & (entries - 1);
    }
    // A doorbell that did not see the last entry complete is seen here.
    if (owner.tail() != end) {
      job.update(this::tell);
    }
  }

  /** Fetches entries up to the end of the run, of the ring or of the room; at least one. */
  private int fetch(Job job, int at) throws DmaFaultException, JobEndedException {
    int contiguous = (end > at ? end : entries) - at;
    int count = Math.min(contiguous, FETCH_ENTRIES);
    try {
      job.dma()
          .read(
              base + (long) at * Descriptor.BYTES,
              fetched.asSlice(0, (long) count * Descriptor.BYTES));
      return count;
    } catch (DmaFaultException fault) {
      // What came whole runs first: HEAD is to stop at the entry that cannot be read.
      int whole = (int) (fault.transferred() / Descriptor.BYTES);
      if (whole == 0) {
        throw fault;
      }
      return whole;
    }
  }

  private boolean runOne(Job job, Descriptor descriptor) throws JobEndedException {
    return switch (executor.execute(job.dma(), descriptor)) {
      case Outcome.Done _ -> {
        complete(job, descriptor.has(Descriptor.INTERRUPT));
        yield true;
      }
      case Outcome.Failed failed -> {
        fail(job, failed);
        yield false;
      }
    };
  }

  private void complete(Job job, boolean interrupt) throws JobEndedException {
    // An entry whose record is written must count even if the job has ended: it would run again
    // after its driver has seen it done and has given its buffers to something else.
    finished++;
    if (!interrupt) {
      return;
    }
    boolean signalled;
    try {
      signalled = job.signal(owner.vector());
    } catch (JobEndedException ended) {
      held.set(true);
      throw ended;
    }
    // One update tells of all that are held until it has its turn.
    if (!signalled && !held.getAndSet(true)) {
      job.update(this::tell);
    }
  }

  private void fail(Job job, Outcome.Failed failed) throws JobEndedException {
    failure = failed;
    job.update(this::tell);
  }
}
