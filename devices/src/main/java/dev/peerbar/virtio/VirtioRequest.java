package dev.peerbar.virtio;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;

/**
 * One request of a driver's: buffers to read, and buffers to write behind them, each as if it were
 * in one piece (Virtual I/O Device 1.3, 2.7.4: no device may rely on how they are divided). For the
 * thread of its queue's engine, in a job of that queue: one that {@link VirtioDevice#handle} was
 * called with for it, or one of {@link VirtioHost#engine}; any other has an {@link
 * IllegalStateException}, as it has a request that is complete.
 *
 * <p>After a reset there is nothing to read or write: that is a {@link JobEndedException}, even in
 * a job that was begun since. Completing it does nothing.
 */
public interface VirtioRequest {

  /** How many bytes there are to read: unsigned 32 bits at most (2.7.5.2). */
  long readable();

  /** How many bytes there is room for. */
  long writable();

  /**
   * Reads what the driver sent.
   *
   * @param offset from the first readable byte
   * @throws IndexOutOfBoundsException beyond {@link #readable}
   * @throws DmaFaultException if a byte cannot be read
   */
  void read(Job job, long offset, MemorySegment into) throws DmaFaultException, JobEndedException;

  /**
   * Writes what the driver gets.
   *
   * @param offset from the first writable byte
   * @throws IndexOutOfBoundsException beyond {@link #writable}
   * @throws DmaFaultException if a byte cannot be written
   */
  void write(Job job, long offset, MemorySegment from) throws DmaFaultException, JobEndedException;

  /**
   * Gives it back to the driver, and interrupts unless the driver wants none (2.7.7, 2.7.8). Once;
   * in any order among requests of a queue.
   *
   * @param written bytes from the first writable byte on
   */
  void complete(Job job, long written) throws JobEndedException;
}
