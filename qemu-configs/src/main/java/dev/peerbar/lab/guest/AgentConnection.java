package dev.peerbar.lab.guest;

import java.io.EOFException;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;

/**
 * Framing of the agent's protocol over QEMU's socket: one request, then its response, each with a
 * length and an id.
 *
 * <p>May be used from any thread; requests are served one after the other. A wait that ran out
 * leaves the connection unusable, because the late response would be taken for that of the next
 * request.
 */
final class AgentConnection implements AutoCloseable {
  private static final int HEAD = 12;
  private static final int FRAME_MAX = 4 << 20;
  private static final Duration RETRY = Duration.ofMillis(20);

  private final SocketChannel channel;
  private final Selector selector;
  private final SelectionKey key;
  private int lastId;
  private IOException broken;

  private AgentConnection(SocketChannel channel) throws IOException {
    this.channel = channel;
    channel.configureBlocking(false);
    selector = Selector.open();
    key = channel.register(selector, 0);
  }

  /** Connects to a socket that QEMU listens on, or will soon. */
  static AgentConnection connect(Path socket) throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      channel.connect(UnixDomainSocketAddress.of(socket));
      return new AgentConnection(channel);
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /** What the agent answered: a status and the payload, little-endian. */
  record Response(int status, ByteBuffer payload) {}

  /**
   * Sends a request and waits for its response.
   *
   * @param operation as in the agent's table
   * @param payload what follows it
   * @param limit how long the answer may take
   */
  synchronized Response call(int operation, ByteBuffer payload, Duration limit) throws IOException {
    if (broken != null) {
      throw new IOException("the agent connection is broken", broken);
    }
    if (payload.remaining() > FRAME_MAX - HEAD) {
      throw new IllegalArgumentException("request of " + payload.remaining() + " bytes");
    }
    int id = ++lastId;
    ByteBuffer frame =
        ByteBuffer.allocate(HEAD + payload.remaining()).order(ByteOrder.LITTLE_ENDIAN);
    frame.putInt(payload.remaining() + 8).putInt(id).putInt(operation).put(payload).flip();
    long end = System.nanoTime() + limit.toNanos();
    try {
      send(frame, end);
      ByteBuffer head = receive(HEAD, end);
      int length = head.getInt();
      int answered = head.getInt();
      int status = head.getInt();
      if (length < 8 || length > FRAME_MAX || answered != id) {
        throw new IOException("the agent's framing is lost: length " + length + " id " + answered);
      }
      return new Response(status, receive(length - 8, end));
    } catch (IOException e) {
      broken = e;
      throw e;
    }
  }

  private void send(ByteBuffer frame, long end) throws IOException {
    while (frame.hasRemaining()) {
      if (channel.write(frame) == 0) {
        await(SelectionKey.OP_WRITE, end);
      }
    }
  }

  private ByteBuffer receive(int length, long end) throws IOException {
    ByteBuffer to = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    while (to.hasRemaining()) {
      int n = channel.read(to);
      if (n < 0) {
        throw new EOFException("QEMU closed the agent's socket");
      }
      if (n == 0) {
        await(SelectionKey.OP_READ, end);
      }
    }
    return to.flip();
  }

  private void await(int operation, long end) throws IOException {
    key.interestOps(operation);
    long left = end - System.nanoTime();
    if (left <= 0) {
      throw new SocketTimeoutException("the guest agent does not answer");
    }
    selector.select(Math.max(1, Math.min(left, RETRY.toNanos() * 50) / 1_000_000));
    selector.selectedKeys().clear();
    if (Thread.currentThread().isInterrupted()) {
      throw new java.io.InterruptedIOException("interrupted while waiting for the guest agent");
    }
  }

  @Override
  public void close() throws IOException {
    selector.close();
    channel.close();
  }
}
