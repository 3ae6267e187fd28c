package dev.peerbar.virtio;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;

/** A chain of descriptors, as a device has it. For the engine's thread. */
final class RingRequest implements VirtioRequest {
  private final SplitQueue queue;
  private final BufferList readable = new BufferList();
  private final BufferList writable = new BufferList();
  private int head;
  private boolean completed;

  RingRequest(SplitQueue queue) {
    this.queue = queue;
  }

  /** Becomes another request, so far without buffers. */
  void begin(int chain) {
    head = chain;
    completed = false;
    readable.clear();
    writable.clear();
  }

  void addReadable(long iova, long length) {
    readable.add(iova, length);
  }

  void addWritable(long iova, long length) {
    writable.add(iova, length);
  }

  boolean hasWritable() {
    return !writable.isEmpty();
  }

  /** The index of its first descriptor, by which the driver knows it. */
  int head() {
    return head;
  }

  boolean completed() {
    return completed;
  }

  @Override
  public long readable() {
    return readable.length();
  }

  @Override
  public long writable() {
    return writable.length();
  }

  @Override
  public void read(Job job, long offset, MemorySegment into)
      throws DmaFaultException, JobEndedException {
    checkReachable(job);
    readable.read(job.dma(), offset, into);
  }

  @Override
  public void write(Job job, long offset, MemorySegment from)
      throws DmaFaultException, JobEndedException {
    checkReachable(job);
    writable.write(job.dma(), offset, from);
  }

  /** Its buffers are the driver's again once it is complete, or its queue has been reset. */
  private void checkReachable(Job job) throws JobEndedException {
    if (queue.stopped()) {
      throw new JobEndedException();
    }
    queue.checkJob(job);
    if (completed) {
      throw new IllegalStateException("The request is complete.");
    }
  }

  @Override
  public void complete(Job job, long written) throws JobEndedException {
    if (queue.stopped()) {
      return;
    }
    queue.checkJob(job);
    if (completed) {
      throw new IllegalStateException("The request is complete already.");
    }
    if (written < 0 || written > writable()) {
      throw new IllegalArgumentException(
          "%d bytes cannot have been written where there is room for %d."
              .formatted(written, writable()));
    }
    completed = true;
    queue.complete(job, head, written);
  }
}
