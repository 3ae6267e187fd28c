package dev.peerbar.lab.guest;

import dev.peerbar.linux.Errno;
import java.io.IOException;
import java.util.Optional;

/** The guest's kernel refused a system call. The guest and its agent go on. */
public final class GuestErrnoException extends IOException {
  private static final long serialVersionUID = 1;

  private final int code;

  GuestErrnoException(String call, int code) {
    super(call + ": " + Errno.of(code).map(Errno::name).orElse("errno " + code));
    this.code = code;
  }

  /** Which error, or empty for a number that has no name. */
  public Optional<Errno> errno() {
    return Errno.of(code);
  }

  /** Whether it is this error. */
  public boolean is(Errno errno) {
    return code == errno.code();
  }
}
