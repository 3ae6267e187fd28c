package dev.peerbar.linux;

import java.io.IOException;

/** A system call failed. */
public final class LinuxException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int code;

  /**
   * @param call the name of the call, as its manual page has it
   * @param code the errno, positive
   */
  public LinuxException(String call, int code) {
    super(call + ": " + Errno.of(code).map(Errno::name).orElse("errno " + code));
    this.code = code;
  }

  /** A failure that a check of ours found before the kernel would have. */
  public LinuxException(String call, Errno errno) {
    this(call, errno.code());
  }

  /** The number that the call left in errno. */
  public int code() {
    return code;
  }

  /** The error, or {@link Errno#EIO} for a number that Linux does not document. */
  public Errno errno() {
    return Errno.of(code).orElse(Errno.EIO);
  }
}
