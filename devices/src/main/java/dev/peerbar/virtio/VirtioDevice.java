package dev.peerbar.virtio;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.Screenshots;
import java.util.Optional;

/**
 * A virtio device as its author writes it: what it offers, its configuration, and what comes of
 * requests (Virtual I/O Device 1.3, chapter 2). How a driver finds it and how rings are kept is the
 * transport's.
 */
public interface VirtioDevice {

  /** What it is and offers. The same object on every call. */
  VirtioIdentity identity();

  /**
   * Gives it what it needs of the transport. Called once, before any other method but {@link
   * #identity}, on the function's thread.
   */
  void start(VirtioHost host);

  /**
   * Reads of its configuration (2.5), on the function's thread.
   *
   * @param offset from its start, in bytes; with the bytes within {@link
   *     VirtioIdentity#configBytes}
   * @param bytes 1, 2, 4 or 8; offset is a multiple
   * @return little-endian, zero-extended
   */
  long readConfig(int offset, int bytes);

  /** Writes of its configuration, as {@link #readConfig}. */
  void writeConfig(int offset, int bytes, long value);

  /**
   * The driver has set DRIVER_OK (3.1.1): requests may come from now on. On the function's thread.
   *
   * @param features those that both sides want, of the device's own and of the transport's
   */
  void driverReady(long features);

  /**
   * The device is reset: by its status, with its function, or with the client. No request is in
   * progress, none that was held will be completed. On the function's thread.
   */
  void reset();

  /**
   * One queue is reset alone (2.6.1). None of its requests is in progress, none that was held will
   * be completed. On the function's thread.
   *
   * @param queue its index
   */
  default void queueReset(int queue) {}

  /**
   * Carries out a request, on the thread of its queue's engine, where it may wait. A request that
   * is not {@link VirtioRequest#complete completed} when this returns is the device's until it is,
   * or until a reset.
   *
   * @param queue its index
   * @param job to reach memory that a request tells of, beside its own
   * @throws DmaFaultException if a byte of the request itself cannot be read or written: the
   *     transport wants a reset then (DEVICE_NEEDS_RESET, 2.1)
   * @throws JobEndedException to let through what the job throws once it has ended
   */
  void handle(int queue, VirtioRequest request, Job job)
      throws DmaFaultException, JobEndedException;

  /** As {@link dev.peerbar.endpoint.Endpoint#screenshots}. */
  default Optional<Screenshots> screenshots() {
    return Optional.empty();
  }
}
