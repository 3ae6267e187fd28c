package dev.peerbar.protocol.client;

import dev.peerbar.linux.Errno;
import dev.peerbar.protocol.Header;
import java.io.IOException;

/** The server replied that a request failed. */
public final class RemoteErrorException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int code;

  RemoteErrorException(Header reply) {
    super(
        reply.knownCommand().map(Enum::name).orElse("command " + reply.command())
            + ": "
            + Errno.of(reply.errno()).map(Errno::name).orElse("errno " + reply.errno()));
    this.code = reply.errno();
  }

  /** The number in the reply. */
  public int code() {
    return code;
  }

  /**
   * Why.
   *
   * @throws IllegalStateException if the reply has a number that Linux does not have
   */
  public Errno errno() {
    return Errno.of(code).orElseThrow(() -> new IllegalStateException("errno " + code));
  }
}
