package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.endpoint.JobEndedException;

/** What I/O commands mean. Several engines' threads at once. */
public interface IoHandler {

  /**
   * Whether the command may take long, waiting or at work, so that others had better not wait for
   * it. Takes no time itself.
   */
  boolean takesLong(SubmissionEntry command);

  /**
   * Executes a command. It has left nothing to do when this returns.
   *
   * @param transfer for its data, and for what there is to say of an error
   * @throws JobEndedException to let through what the transfer throws
   */
  Status execute(SubmissionEntry command, Transfer transfer) throws JobEndedException;

  /**
   * Whether there is no use in executing the command where nothing may wait, or nothing may take
   * long. Takes no time itself. One of which this says no may turn out to have to wait all the
   * same.
   */
  boolean mustWait(SubmissionEntry command);

  /** Commands were being executed for so long: an engine's, or the function's thread says so. */
  void busy(long nanos);
}
