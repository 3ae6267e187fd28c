package dev.peerbar.endpoint;

/**
 * There is nothing left to do but return: the job was ended, by a reset or by its ticket, or {@link
 * MustWaitException goes on elsewhere}.
 */
public sealed class JobEndedException extends Exception permits MustWaitException {
  private static final long serialVersionUID = 1L;

  public JobEndedException() {
    this("job ended");
  }

  JobEndedException(String message) {
    // Control flow between two threads: a stack trace would say nothing about who ended the job.
    super(message, null, false, false);
  }
}
