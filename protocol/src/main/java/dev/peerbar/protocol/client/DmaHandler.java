package dev.peerbar.protocol.client;

import dev.peerbar.linux.Errno;
import io.netty.buffer.ByteBuf;

/** What a client does when the server accesses its memory. On the client's reader thread. */
public interface DmaHandler {

  /**
   * Reads client memory.
   *
   * @param count in bytes, at most what the server may ask for
   * @param into appended to
   */
  void read(long address, int count, ByteBuf into) throws RefusedException;

  /**
   * Writes client memory.
   *
   * @param data valid until this returns
   */
  void write(long address, ByteBuf data) throws RefusedException;

  /** The access fails. */
  final class RefusedException extends Exception {
    private static final long serialVersionUID = 1L;

    private final Errno errno;

    /**
     * A failure.
     *
     * @param errno what to reply
     */
    public RefusedException(Errno errno) {
      super(errno.name());
      this.errno = errno;
    }

    /** What to reply. */
    public Errno errno() {
      return errno;
    }
  }
}
