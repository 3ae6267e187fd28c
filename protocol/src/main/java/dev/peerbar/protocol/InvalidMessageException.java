package dev.peerbar.protocol;

import dev.peerbar.linux.Errno;

/** A message that contradicts itself or the specification. The connection can go on. */
public final class InvalidMessageException extends Exception {
  private static final long serialVersionUID = 1L;

  private final Errno errno;

  /** An {@link Errno#EINVAL}. */
  public InvalidMessageException(String message) {
    this(Errno.EINVAL, message);
  }

  /**
   * @param errno what to reply
   * @param message what is wrong, for the log
   */
  public InvalidMessageException(Errno errno, String message) {
    // A client can send as many of these as it likes, and the trace would always be the decoder's.
    super(message, null, false, false);
    this.errno = errno;
  }

  /** What to reply. */
  public Errno errno() {
    return errno;
  }
}
