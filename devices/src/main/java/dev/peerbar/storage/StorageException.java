package dev.peerbar.storage;

import java.io.IOException;

/** Storage did not do what it was asked to; the message is for people. */
public final class StorageException extends IOException {
  private static final long serialVersionUID = 1L;

  /** What an endpoint tells its host. */
  public enum Kind {
    /** There is no room for what was to be written, now; reading works, and room may come back. */
    FULL,
    /** What was written can no longer be read. */
    READ_FAILED,
    /** It was not written, or is not known to be on stable storage. */
    WRITE_FAILED
  }

  private final Kind kind;

  public StorageException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  public StorageException(Kind kind, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  /** Which failure it is. */
  public Kind kind() {
    return kind;
  }
}
