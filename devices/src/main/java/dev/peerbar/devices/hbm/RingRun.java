package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * One run of a channel: the entries from one index up to another, in order, on the engine's thread.
 *
 * <p>Descriptors are fetched {@value #FETCH_ENTRIES} at a time, so one that is changed after its
 * doorbell may run as it was.
 */
final class RingRun implements Engine.Work {
  static final int FETCH_ENTRIES = 16;
  static final int FETCH_BYTES = FETCH_ENTRIES * Descriptor.BYTES;

  /** What the run tells its channel, on the function's thread. */
  interface Progress {
    /** The entry before {@code head} is complete. */
    void completed(int head, boolean interrupt);

    /** The entry at HEAD could not be completed. */
    void failed(ErrorCode error, long address);
  }

  private final long base;
  private final int entries;
  private final int from;
  private final int end;
  private final MemorySegment fetched;
  private final DescriptorExecutor executor;
  private final Progress progress;

  /** What became of entries and was not told yet: put here by the engine's thread, in order. */
  private final Queue<Runnable> reports = new ConcurrentLinkedQueue<>();

  /**
   * @param base IOVA of the ring
   * @param entries of the ring, a power of two
   * @param from first entry to run
   * @param end one past the last entry to run, not {@code from}
   * @param fetched room for {@link #FETCH_BYTES}
   */
  RingRun(
      long base,
      int entries,
      int from,
      int end,
      MemorySegment fetched,
      DescriptorExecutor executor,
      Progress progress) {
    this.base = base;
    this.entries = entries;
    this.from = from;
    this.end = end;
    this.fetched = fetched;
    this.executor = executor;
    this.progress = progress;
  }

  /**
   * Tells what the run, which has been ended and has left its work, had no turn to tell: an entry
   * whose completion record is written must count, or it would run again after its driver has seen
   * it done and has given its buffers to something else. For the function's thread.
   */
  void reportRest() {
    for (Runnable report = reports.poll(); report != null; report = reports.poll()) {
      report.run();
    }
  }

  private void report(Job job, Runnable report) throws JobEndedException {
    reports.add(report);
    job.update(() -> reports.remove().run());
  }

  @Override
  public void run(Job job) throws JobEndedException {
    int at = from;
    while (at != end) {
      int count;
      try {
        count = fetch(job, at);
      } catch (DmaFaultException fault) {
        report(job, () -> progress.failed(ErrorCode.of(fault), fault.iova()));
        return;
      }
      for (int i = 0; i < count; i++) {
        at = (at + 1) & (entries - 1);
        if (!runOne(job, Descriptor.at(fetched, (long) i * Descriptor.BYTES), at)) {
          return;
        }
      }
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

  private boolean runOne(Job job, Descriptor descriptor, int next) throws JobEndedException {
    return switch (executor.execute(job.dma(), descriptor)) {
      case Outcome.Done _ -> {
        boolean interrupt = descriptor.has(Descriptor.INTERRUPT);
        report(job, () -> progress.completed(next, interrupt));
        yield true;
      }
      case Outcome.Failed failed -> {
        report(job, () -> progress.failed(failed.error(), failed.address()));
        yield false;
      }
    };
  }
}
