package dev.peerbar.lab.guest;

import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;

/**
 * The other end of an agent's socket, which the test plays: it takes the requests and answers them
 * when it likes.
 */
final class FakeAgent implements AutoCloseable {
  static final long ARENA = 0x10000;
  static final int ARENA_SIZE = 1 << 20;
  static final int MOST = 64;
  static final Duration LIMIT = Duration.ofSeconds(60);

  static final int OK = 0;
  static final int BUSY = 4;

  private final ServerSocketChannel server;
  private SocketChannel channel;
  private GuestAgent agent;

  private FakeAgent(ServerSocketChannel server) {
    this.server = server;
  }

  /** A fake with a {@link GuestAgent} at the near end. */
  static FakeAgent start(Path directory) throws Exception {
    Path socket = directory.resolve("agent.sock");
    ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(UnixDomainSocketAddress.of(socket));
    FakeAgent fake = new FakeAgent(server);
    FutureTask<GuestAgent> connecting =
        started(() -> GuestAgent.connect(socket, LIMIT, () -> true));
    fake.channel = server.accept();
    Request hello = fake.take();
    fake.answer(
        hello,
        OK,
        buffer(28).putInt(3).putInt(4096).putLong(ARENA).putLong(ARENA_SIZE).putInt(MOST));
    fake.agent = connecting.get();
    return fake;
  }

  /** Something that a thread of its own does. */
  static <T> FutureTask<T> started(Callable<T> body) {
    FutureTask<T> task = new FutureTask<>(body);
    Thread.ofPlatform().daemon().start(task);
    return task;
  }

  static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  GuestAgent agent() {
    return agent;
  }

  /** What was asked. */
  record Request(int id, Operation operation, ByteBuffer payload) {
    /** The address that a load or store, or an argument of a system call, begins with. */
    long address() {
      return payload.getLong(0);
    }

    /** An argument of a system call. */
    long argument(int index) {
      return payload.getLong(8 + 8 * index);
    }
  }

  Request take() throws IOException {
    int length = receive(4).getInt();
    ByteBuffer rest = receive(length);
    return new Request(
        rest.getInt(),
        Operation.values()[rest.getInt()],
        rest.slice().order(ByteOrder.LITTLE_ENDIAN));
  }

  List<Request> take(int count) throws IOException {
    List<Request> all = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      all.add(take());
    }
    return all;
  }

  private ByteBuffer receive(int length) throws IOException {
    ByteBuffer to = buffer(length);
    while (to.hasRemaining()) {
      if (channel.read(to) < 0) {
        throw new EOFException();
      }
    }
    return to.flip();
  }

  void answer(Request request, int status, ByteBuffer payload) throws IOException {
    payload.flip();
    send(
        buffer(12 + payload.remaining())
            .putInt(8 + payload.remaining())
            .putInt(request.id)
            .putInt(status)
            .put(payload));
  }

  /** Answers a system call that has nothing to read back. */
  void returns(Request request, long value) throws IOException {
    answer(request, OK, buffer(16).putLong(value).putLong(1000));
  }

  void send(ByteBuffer bytes) throws IOException {
    bytes.flip();
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  void hangUp() throws IOException {
    channel.close();
  }

  @Override
  public void close() throws IOException {
    agent.close();
    channel.close();
    server.close();
  }
}
