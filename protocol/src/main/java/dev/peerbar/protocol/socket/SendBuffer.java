package dev.peerbar.protocol.socket;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.SocketMessages;
import dev.peerbar.linux.UnixSocket;

/**
 * What the send buffer of a Unix stream socket takes at once.
 *
 * <p>Linux counts what lies in the peer's queue against the sender's buffer, with the pages and
 * structures that it lies in. A send is cut into pieces of up to 48 KiB (unix_stream_sendmsg), each
 * of which is taken whole as long as the count is less than the size of the buffer
 * (sock_alloc_send_pskb). Only the peer changes the count meanwhile: it lessens it.
 *
 * @param size as Linux counts it, in bytes
 */
record SendBuffer(int size) {
  /**
   * Enough for some large messages. Linux doubles it, and gives less if net.core.wmem_max says so.
   */
  private static final int WANTED = 256 << 10;

  /** What pages and structures add, at most: so many bytes, and a part of the message's size. */
  private static final int OVERHEAD = 8192;

  private static final int OVERHEAD_PART = 4;

  /** A socket says that it can be written while no more than this part is taken (unix_writable). */
  private static final int WRITABLE_PART = 4;

  /** Of a socket, made as large as it may be. */
  static SendBuffer widened(FileDescriptor socket) throws LinuxException {
    UnixSocket.setSendBuffer(socket, WANTED);
    return new SendBuffer(UnixSocket.sendBuffer(socket));
  }

  /** The largest message that is taken whole whenever the socket says that it can be written. */
  int mostWhole() {
    int room = size - size / WRITABLE_PART - OVERHEAD;
    return Math.max(0, room - room / (OVERHEAD_PART + 1));
  }

  /**
   * Whether the socket takes a message whole now, or it is so large that it may never. True
   * whenever the socket says that it can be written: nobody waits for that in vain.
   *
   * @param message its size, in bytes
   */
  boolean takes(FileDescriptor socket, SocketMessages messages, int message) throws LinuxException {
    long unread = messages.unread(socket);
    return unread + message + message / OVERHEAD_PART + OVERHEAD < size
        || unread * WRITABLE_PART <= size;
  }
}
