package dev.peerbar.bench.rig;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.SocketMessages;
import dev.peerbar.protocol.Header;
import io.netty.buffer.Unpooled;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * One end of a bare socket that blocks: one sendmsg and one recvmsg a message, as long as the
 * socket takes it whole, and nothing decoded. For one thread.
 */
public final class Messenger implements AutoCloseable {
  /** More than a reply to VERSION has, in bytes. */
  private static final int VERSION_REPLY = 4096;

  private static final ValueLayout.OfInt FLAGS =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final long FLAGS_AT = 8;
  private static final int ERROR = 1 << 5;

  private final FileDescriptor socket;
  private final SocketMessages messages = new SocketMessages();
  private final MemorySegment received;

  /**
   * Takes over a connected socket.
   *
   * @param room the most bytes of one message to be received
   */
  public Messenger(FileDescriptor socket, int room) {
    this.socket = socket;
    this.received = Arena.ofAuto().allocate(room);
  }

  /**
   * Takes over a socket connected to a server, and agrees on a version.
   *
   * @param room the most bytes of one message to be received
   */
  static Messenger agreed(FileDescriptor socket, int room) throws LinuxException {
    Messenger messenger = new Messenger(socket, Math.max(room, VERSION_REPLY));
    messenger.send(Messages.version());
    messenger.receiveSome();
    return messenger;
  }

  /** The socket, owned by this. */
  public FileDescriptor socket() {
    return socket;
  }

  /** Sends a message whole. */
  public void send(MemorySegment message) throws LinuxException {
    send(message, null);
  }

  /**
   * Sends a message whole, and a descriptor with its first byte.
   *
   * @param descriptor stays the caller's; null for none
   */
  public void send(MemorySegment message, FileDescriptor descriptor) throws LinuxException {
    if (descriptor != null) {
      messages.addDescriptor(descriptor);
    }
    for (long sent = 0; sent < message.byteSize(); ) {
      messages.addBytes(message.address() + sent, Math.toIntExact(message.byteSize() - sent));
      sent += messages.sendWaiting(socket);
    }
  }

  /** Waits for some bytes and returns their number, 0 if the other end has gone. */
  public int receiveSome() throws LinuxException {
    return receive(0);
  }

  /**
   * Waits for a message.
   *
   * @param length of the message, in bytes
   * @return its bytes, good until the next receive
   * @throws IllegalStateException if the other end has gone, or if it is a reply that refuses
   */
  public MemorySegment receive(long length) throws LinuxException {
    return receiveRest(0, length);
  }

  /**
   * Waits for the rest of a message.
   *
   * @param before bytes of it that the last receive returned
   * @param length of the message, in bytes
   * @return all its bytes, good until the next receive
   * @throws IllegalStateException if the other end has gone
   */
  public MemorySegment receiveRest(long before, long length) throws LinuxException {
    long have = before;
    while (have < length) {
      int got = receive((int) have);
      if (got == 0) {
        throw new IllegalStateException("the other end has gone");
      }
      have += got;
      if (have < length && have == Header.SIZE && refuses()) {
        throw new IllegalStateException("a request was refused");
      }
    }
    return received.asSlice(0, have);
  }

  /** Whether the header that was received is a failure: nothing follows it. */
  private boolean refuses() {
    return Header.decode(Unpooled.wrappedBuffer(received.asSlice(0, Header.SIZE).asByteBuffer()))
        .error();
  }

  private int receive(int from) throws LinuxException {
    int got =
        messages.receiveWaiting(
            socket, received.address() + from, (int) received.byteSize() - from);
    messages.takeDescriptors().forEach(FileDescriptor::close);
    return Math.max(0, got);
  }

  /** Sends a request and waits for its reply. */
  public MemorySegment exchange(MemorySegment request, long replyLength) throws LinuxException {
    send(request);
    return receive(replyLength);
  }

  /**
   * Sends a request, and a descriptor along with it, and waits for its reply.
   *
   * @param descriptor stays the caller's; null for none
   * @param replyLength in bytes
   * @throws IllegalStateException if it was refused, or the other end has gone
   */
  public MemorySegment exchange(MemorySegment request, FileDescriptor descriptor, long replyLength)
      throws LinuxException {
    send(request, descriptor);
    // A refusal is a header: waiting for more would be waiting for ever.
    MemorySegment reply = receive(Math.min(replyLength, Header.SIZE));
    if ((reply.get(FLAGS, FLAGS_AT) & ERROR) != 0) {
      throw new IllegalStateException("refused");
    }
    return receiveRest(reply.byteSize(), replyLength);
  }

  @Override
  public void close() {
    socket.close();
  }
}
