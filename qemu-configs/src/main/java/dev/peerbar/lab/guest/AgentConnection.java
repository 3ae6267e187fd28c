package dev.peerbar.lab.guest;

import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.IntConsumer;

/**
 * Framing of the agent's protocol over QEMU's socket: requests of many threads, and their responses
 * in any order, matched by id.
 *
 * <p>May be used from any thread. A thread of its own takes every response as it comes, whether or
 * not somebody waits for it, because a guest whose response is not taken stands still. A caller
 * writes its request itself; what the socket has no room for, the other thread writes later. The
 * channel does not block: a thread that is interrupted in one that does closes it.
 *
 * <p>The connection ends when the socket closes, or when the framing is lost. Every exchange under
 * way and every later one then fails with a {@link GuestGoneException}.
 */
final class AgentConnection implements AutoCloseable {
  /** Longest frame, from behind its length. */
  static final int FRAME_MAX = 4 << 20;

  private static final int HEAD = 12;

  /** What the length of a frame counts beside the payload: id, and operation or status. */
  private static final int COUNTED = 8;

  /** Longest payload of a request. */
  static final int PAYLOAD_MAX = FRAME_MAX - COUNTED;

  private static final int INPUT = 64 << 10;

  private final SocketChannel channel;
  private final Selector selector;
  private final SelectionKey key;

  /** Read and not yet looked at; the reader's. */
  private final ByteBuffer input =
      ByteBuffer.allocateDirect(INPUT).order(ByteOrder.LITTLE_ENDIAN).limit(0);

  /** Whose response is being read, and its payload so far; the reader's. */
  private Exchange answered;

  private int status;
  private ByteBuffer body;

  /** What the socket had no room for; guards the sending of whole frames too. */
  private final Queue<ByteBuffer> unsent = new ArrayDeque<>();

  /** Exchanges whose response has not come, by id; guards the two below too. */
  private final Map<Integer, Exchange> underWay = new HashMap<>();

  private int lastId;
  private IOException gone;

  private AgentConnection(SocketChannel channel) throws IOException {
    this.channel = channel;
    channel.configureBlocking(false);
    selector = Selector.open();
    key = channel.register(selector, SelectionKey.OP_READ);
  }

  /** Connects to a socket that QEMU listens on, or will soon. */
  static AgentConnection connect(Path socket) throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      channel.connect(UnixDomainSocketAddress.of(socket));
      AgentConnection connection = new AgentConnection(channel);
      Thread.ofPlatform().daemon().name("guest-agent").start(connection::serve);
      return connection;
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /** What the agent answered: a status and the payload, little-endian. */
  record Response(int status, ByteBuffer payload) {}

  /** A request that was sent, or will be as soon as the socket has room. */
  static final class Exchange {
    private final int id;
    private final CompletableFuture<Void> over = new CompletableFuture<>();
    private final CompletableFuture<Response> response = new CompletableFuture<>();

    private Exchange(int id) {
      this.id = id;
    }

    /**
     * Runs when the response has come, however late, or none can come any more; before who waits
     * for it goes on.
     */
    void whenOver(Runnable action) {
      over.thenRun(action);
    }

    private void end(Response answer) {
      over.complete(null);
      response.complete(answer);
    }

    private void end(IOException cause) {
      over.complete(null);
      response.completeExceptionally(cause);
    }

    /**
     * Waits for the response. Whoever gives up leaves the exchange as it is: the response is
     * dropped when it comes.
     *
     * @throws GuestCallTimeoutException if it does not come in time
     * @throws InterruptedIOException if the thread is interrupted, and stays so
     * @throws GuestGoneException if it cannot come any more
     */
    Response await(GuestCall call, Duration limit) throws IOException {
      try {
        return response.get(limit.toNanos(), TimeUnit.NANOSECONDS);
      } catch (TimeoutException e) {
        throw new GuestCallTimeoutException(call, limit);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new InterruptedIOException("interrupted in " + call);
      } catch (ExecutionException e) {
        throw new GuestGoneException(e.getCause());
      }
    }
  }

  /**
   * Sends a request.
   *
   * @param operation as in the agent's table
   * @param payload what follows it
   * @param begins told the request's id before the guest can know of it
   * @throws GuestGoneException if the connection has ended
   */
  Exchange send(int operation, ByteBuffer payload, IntConsumer begins) throws IOException {
    int length = payload.remaining();
    if (length > PAYLOAD_MAX) {
      throw new IllegalArgumentException("request of " + length + " bytes");
    }
    Exchange exchange = register();
    begins.accept(exchange.id);
    ByteBuffer frame =
        ByteBuffer.allocate(HEAD + length)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(length + COUNTED)
            .putInt(exchange.id)
            .putInt(operation)
            .put(payload)
            .flip();
    try {
      write(frame);
    } catch (IOException e) {
      end(e);
    }
    return exchange;
  }

  private Exchange register() throws IOException {
    synchronized (underWay) {
      if (gone != null) {
        throw new GuestGoneException(gone);
      }
      do {
        lastId++;
      } while (underWay.containsKey(lastId)); // one that has hung for four billion calls
      Exchange exchange = new Exchange(lastId);
      underWay.put(lastId, exchange);
      return exchange;
    }
  }

  private void write(ByteBuffer frame) throws IOException {
    synchronized (unsent) {
      if (unsent.isEmpty()) {
        channel.write(frame);
      }
      if (frame.hasRemaining()) {
        unsent.add(frame);
        key.interestOpsOr(SelectionKey.OP_WRITE);
        selector.wakeup();
      }
    }
  }

  private void serve() {
    try {
      while (true) {
        selector.select();
        selector.selectedKeys().clear();
        writeUnsent();
        read();
      }
    } catch (ClosedSelectorException e) {
      end(new IOException("the connection to its agent was closed", e));
    } catch (IOException | RuntimeException e) {
      end(e instanceof IOException io ? io : new IOException("the connection failed: " + e, e));
    }
  }

  private void writeUnsent() throws IOException {
    synchronized (unsent) {
      while (!unsent.isEmpty()) {
        channel.write(unsent.element());
        if (unsent.element().hasRemaining()) {
          return;
        }
        unsent.remove();
      }
      key.interestOpsAnd(~SelectionKey.OP_WRITE);
    }
  }

  private void read() throws IOException {
    int n;
    do {
      n = channel.read(input.compact());
      input.flip();
      takeResponses();
    } while (n >= INPUT - HEAD);
    if (n < 0) {
      throw new EOFException("QEMU closed the agent's socket");
    }
  }

  private void takeResponses() throws IOException {
    while (body != null || input.remaining() >= HEAD) {
      if (body == null) {
        takeHead();
      }
      int part = Math.min(input.remaining(), body.remaining());
      body.put(body.position(), input, input.position(), part).position(body.position() + part);
      input.position(input.position() + part);
      if (body.hasRemaining()) {
        return;
      }
      Response response = new Response(status, body.flip());
      body = null;
      synchronized (underWay) {
        underWay.remove(answered.id);
      }
      answered.end(response);
    }
  }

  private void takeHead() throws IOException {
    int length = input.getInt();
    int id = input.getInt();
    status = input.getInt();
    if (length < COUNTED || length > FRAME_MAX) {
      throw new IOException("the agent's framing is lost: length " + length + " id " + id);
    }
    synchronized (underWay) {
      answered = underWay.get(id);
    }
    if (answered == null) {
      throw new IOException("the agent's framing is lost: an answer to call " + id);
    }
    body = ByteBuffer.allocate(length - COUNTED).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Ends the connection, once; the first reason is the one that counts. */
  private void end(IOException reason) {
    List<Exchange> lost;
    IOException cause;
    synchronized (underWay) {
      if (gone == null) {
        gone = reason;
      }
      cause = gone;
      lost = List.copyOf(underWay.values());
      underWay.clear();
    }
    lost.forEach(exchange -> exchange.end(cause));
    try {
      selector.close();
      channel.close();
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
  }

  @Override
  public void close() {
    end(new IOException("the connection to its agent was closed"));
  }
}
