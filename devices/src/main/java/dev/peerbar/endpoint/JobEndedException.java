package dev.peerbar.endpoint;

/** The job was ended, by a reset or by its ticket: there is nothing left to do but return. */
public final class JobEndedException extends Exception {
  private static final long serialVersionUID = 1L;

  public JobEndedException() {
    // Control flow between two threads: a stack trace would say nothing about who ended the job.
    super("job ended", null, false, false);
  }
}
