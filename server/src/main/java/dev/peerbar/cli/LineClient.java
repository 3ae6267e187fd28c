package dev.peerbar.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** Asks a running server something at a socket beside an endpoint's: a line, and an answer back. */
final class LineClient {
  /** More than the server takes for any answer. */
  private static final Duration LIMIT = Duration.ofSeconds(30);

  private static final int PIECE = 1 << 16;

  private LineClient() {}

  /**
   * Sends a line, and receives all that comes back.
   *
   * @param line without its end
   * @param most bytes of the answer
   */
  static byte[] ask(Path path, byte[] line, int most) throws IOException {
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(path));
      return exchange(channel, line, most);
    }
  }

  private static byte[] exchange(SocketChannel channel, byte[] request, int most)
      throws IOException {
    long end = System.nanoTime() + LIMIT.toNanos();
    ByteBuffer line = ByteBuffer.allocate(request.length + 1).put(request).put((byte) '\n').flip();
    IOException refused = null;
    try {
      while (line.hasRemaining()) {
        // It is far smaller than the socket's buffer.
        channel.write(line);
      }
    } catch (IOException e) {
      // Whoever hangs up before it is asked may have said why.
      refused = e;
    }
    ByteArrayOutputStream answer = new ByteArrayOutputStream();
    ByteBuffer received = ByteBuffer.allocate(PIECE);
    channel.configureBlocking(false);
    try (Selector selector = Selector.open()) {
      channel.register(selector, SelectionKey.OP_READ);
      while (read(channel, received.clear(), answer.size() > 0) >= 0 && answer.size() < most) {
        answer.write(received.array(), 0, received.position());
        long left = Duration.ofNanos(end - System.nanoTime()).toMillis();
        if (left <= 0) {
          throw new IOException("no answer in %d s".formatted(LIMIT.toSeconds()));
        }
        selector.select(left);
      }
    }
    if (answer.size() == 0 && refused != null) {
      throw refused;
    }
    return answer.toByteArray();
  }

  /** Who hangs up on a request that it has not read resets the connection after its answer. */
  private static int read(SocketChannel channel, ByteBuffer into, boolean answered)
      throws IOException {
    try {
      return channel.read(into);
    } catch (IOException e) {
      if (answered) {
        return -1;
      }
      throw e;
    }
  }

  /**
   * What to do about a failure.
   *
   * @param endpoint the path of the endpoint's socket
   * @param path where it was asked
   * @param notOffered what it means that an endpoint is there, and nothing to ask at
   */
  static String explain(Path endpoint, Path path, String notOffered, Exception failure) {
    if (failure instanceof ConnectException && Files.exists(path)) {
      return "nobody listens at %s: its server has ended, so start it again".formatted(path);
    }
    if (!Files.exists(path)) {
      return Files.exists(endpoint)
          ? notOffered
          : "there is no %s: give the path that 'serve' was given".formatted(endpoint);
    }
    return "cannot ask at %s (%s): run this as the user who started the server"
        .formatted(path, failure.getMessage());
  }
}
