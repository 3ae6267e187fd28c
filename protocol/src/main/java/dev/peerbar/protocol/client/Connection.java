package dev.peerbar.protocol.client;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DmaRead;
import dev.peerbar.protocol.DmaWrite;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.Payload;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.io.EOFException;
import java.io.IOException;
import java.net.ProtocolException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/**
 * A socket to the server, and the thread that reads it: gives replies to those who wait for them.
 */
final class Connection implements AutoCloseable {
  private static final int ID_MASK = 0xFFFF;

  /** The most that a server may read at once here: more than any negotiates. */
  private static final int MOST_DMA = 64 << 20;

  private static final Duration REPLY_TIMEOUT = Duration.ofSeconds(10);

  private final MessageSocket socket;
  private final Supplier<DmaHandler> dma;
  private final ConcurrentMap<Integer, CompletableFuture<Frame>> waiting =
      new ConcurrentHashMap<>();
  private final BlockingQueue<Frame> others = new LinkedBlockingQueue<>();
  private final AtomicInteger ids = new AtomicInteger();
  private final CountDownLatch ended = new CountDownLatch(1);
  private final boolean strict;
  private final Thread reader;

  /** Why the peer's bytes made no sense, once they did not. */
  private volatile Optional<String> nonsense = Optional.empty();

  /**
   * @param strictly empty to take anything; else the most bytes of a message, and a reply to no
   *     request ends the connection
   */
  Connection(FileDescriptor socket, String name, Supplier<DmaHandler> dma, OptionalInt strictly) {
    this.socket = new MessageSocket(socket, strictly.orElse(Integer.MAX_VALUE));
    this.strict = strictly.isPresent();
    this.dma = dma;
    this.reader = Thread.ofPlatform().daemon().name(name).start(this::read);
  }

  MessageSocket socket() {
    return socket;
  }

  CompletableFuture<Frame> submit(
      Command command, Payload payload, List<FileDescriptor> descriptors, Duration timeout)
      throws IOException {
    CompletableFuture<Frame> reply = new CompletableFuture<>();
    int id = reserve(reply);
    try {
      socket.send(encode(id, command, false, payload), descriptors, timeout);
    } catch (IOException e) {
      waiting.remove(id);
      throw e;
    }
    if (ended.getCount() == 0) {
      // The reader may have gone before it could see this one.
      failWaiting();
    }
    return reply;
  }

  private int reserve(CompletableFuture<Frame> reply) {
    while (true) {
      int id = ids.incrementAndGet() & ID_MASK;
      if (waiting.putIfAbsent(id, reply) == null) {
        return id;
      }
    }
  }

  /** The reply, to be released. */
  Frame call(Command command, Payload payload, List<FileDescriptor> descriptors, Duration timeout)
      throws IOException {
    CompletableFuture<Frame> future = submit(command, payload, descriptors, timeout);
    Frame reply = await(future, timeout);
    if (reply.header().error()) {
      Header header = reply.header();
      reply.release();
      throw new RemoteErrorException(header);
    }
    return reply;
  }

  private Frame await(CompletableFuture<Frame> future, Duration timeout) throws IOException {
    try {
      return future.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      // A reply that comes after all is nobody's: the id stays taken so that it is not another's.
      future.thenAccept(Frame::release);
      throw new SocketTimeoutException("no reply in " + timeout);
    } catch (ExecutionException e) {
      if (nonsense.isPresent()) {
        throw new ProtocolException(nonsense.get());
      }
      throw new EOFException(e.getCause().getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      future.thenAccept(Frame::release);
      throw new IOException("interrupted", e);
    }
  }

  void post(Command command, Payload payload, List<FileDescriptor> descriptors, Duration timeout)
      throws IOException {
    socket.send(
        encode(ids.incrementAndGet() & ID_MASK, command, true, payload), descriptors, timeout);
  }

  private static ByteBuf encode(int id, Command command, boolean noReply, Payload payload) {
    int size = payload.encodedSize();
    ByteBuf bytes = ByteBufAllocator.DEFAULT.directBuffer(Header.SIZE + size);
    try {
      Header.request(id, command, size, noReply).encode(bytes);
      payload.encode(bytes);
      return bytes;
    } catch (RuntimeException | Error e) {
      bytes.release();
      throw e;
    }
  }

  Frame receive(Duration timeout) throws IOException {
    long deadline = System.nanoTime() + timeout.toNanos();
    try {
      while (true) {
        Frame frame = others.poll(Math.min(timeout.toNanos(), POLL_NANOS), TimeUnit.NANOSECONDS);
        if (frame != null) {
          return frame;
        }
        if (ended.getCount() == 0 && others.isEmpty()) {
          throw new EOFException("the connection ended");
        }
        if (System.nanoTime() >= deadline) {
          throw new SocketTimeoutException("no message in " + timeout);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  /** How often a wait for a message looks whether the connection has ended. */
  private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  boolean awaitEnd(Duration timeout) {
    try {
      return ended.await(timeout.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private void read() {
    try {
      while (true) {
        Frame frame = socket.receive();
        if (frame.header().isReply()) {
          dispatch(frame);
        } else {
          serve(frame);
        }
      }
    } catch (ProtocolException e) {
      nonsense = Optional.of(e.getMessage());
    } catch (IOException e) {
      // The end, which those who wait are told.
    } finally {
      ended.countDown();
      failWaiting();
    }
  }

  private void dispatch(Frame reply) throws ProtocolException {
    CompletableFuture<Frame> future = waiting.remove(reply.header().id());
    if (future != null && future.complete(reply)) {
      return;
    }
    if (strict) {
      reply.release();
      throw new ProtocolException("a reply to no request");
    }
    others.add(reply);
  }

  private void failWaiting() {
    waiting.keySet().forEach(this::fail);
  }

  private void fail(int id) {
    CompletableFuture<Frame> future = waiting.remove(id);
    if (future != null) {
      future.completeExceptionally(new EOFException("the connection ended before the reply"));
    }
  }

  private void serve(Frame request) throws IOException {
    Header header = request.header();
    Frame reply;
    try {
      reply =
          switch (header.knownCommand().orElse(null)) {
            case DMA_READ -> read(header, DmaRead.Request.decode(request.payload()));
            case DMA_WRITE -> write(header, DmaWrite.Request.decode(request.payload()));
            case null, default -> Frame.failure(header, Errno.ENOSYS);
          };
    } catch (InvalidMessageException e) {
      reply = Frame.failure(header, e.errno());
    } catch (DmaHandler.RefusedException e) {
      reply = Frame.failure(header, e.errno());
    } finally {
      request.release();
    }
    if (header.noReply()) {
      reply.release();
    } else {
      socket.send(reply, REPLY_TIMEOUT);
    }
  }

  private Frame read(Header header, DmaRead.Request request) throws DmaHandler.RefusedException {
    if (request.count() < 0 || request.count() > MOST_DMA) {
      throw new DmaHandler.RefusedException(Errno.E2BIG);
    }
    int count = (int) request.count();
    return Frame.reply(
        header,
        DmaRead.DATA + count,
        ByteBufAllocator.DEFAULT,
        payload -> {
          request.encode(payload);
          dma.get().read(request.address(), count, payload);
        });
  }

  private Frame write(Header header, DmaWrite.Request request) throws DmaHandler.RefusedException {
    dma.get().write(request.address(), request.data());
    long count = request.data().readableBytes();
    return Frame.reply(
        header, new DmaWrite.Written(request.address(), count), ByteBufAllocator.DEFAULT);
  }

  /** Ends the connection and waits for the reader. */
  @Override
  public void close() {
    socket.end();
    if (Thread.currentThread() != reader) {
      awaitEnd(REPLY_TIMEOUT);
    }
    socket.close();
    failWaiting();
    for (Frame frame = others.poll(); frame != null; frame = others.poll()) {
      frame.release();
    }
  }
}
