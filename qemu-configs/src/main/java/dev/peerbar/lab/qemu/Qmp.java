package dev.peerbar.lab.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;

/**
 * QEMU's monitor (docs/interop/qmp-spec): one command at a time, events skipped, every wait
 * bounded.
 *
 * <p>May be used from any thread.
 */
public final class Qmp implements AutoCloseable {
  private static final Duration LIMIT = Duration.ofSeconds(30);
  private static final ObjectMapper JSON = new ObjectMapper();

  private final SocketChannel channel;
  private final Selector selector;
  private final ByteBuffer received = ByteBuffer.allocate(1 << 16).flip();

  private Qmp(SocketChannel channel) throws IOException {
    this.channel = channel;
    channel.configureBlocking(false);
    selector = Selector.open();
    channel.register(selector, SelectionKey.OP_READ);
  }

  /** Connects and leaves negotiation mode. */
  public static Qmp connect(Path socket) throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      channel.connect(UnixDomainSocketAddress.of(socket));
      Qmp qmp = new Qmp(channel);
      qmp.greet();
      return qmp;
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  private void greet() throws IOException {
    long end = System.nanoTime() + LIMIT.toNanos();
    if (!JSON.readTree(line(end)).has("QMP")) {
      throw new IOException("what listens there is no QMP");
    }
    execute("qmp_capabilities");
  }

  /** Executes a command without arguments. */
  public JsonNode execute(String command) throws IOException {
    return execute(command, JSON.createObjectNode());
  }

  /**
   * Executes a command.
   *
   * @return what its documentation calls the return value
   * @throws IOException if QEMU refuses it or does not answer
   */
  public synchronized JsonNode execute(String command, ObjectNode arguments) throws IOException {
    ObjectNode request = JSON.createObjectNode().put("execute", command);
    request.set("arguments", arguments);
    ByteBuffer bytes = ByteBuffer.wrap(JSON.writeValueAsBytes(request));
    while (bytes.hasRemaining()) {
      // A command is far smaller than the socket's buffer.
      if (channel.write(bytes) == 0) {
        throw new IOException("QEMU's monitor takes nothing");
      }
    }
    long end = System.nanoTime() + LIMIT.toNanos();
    while (true) {
      JsonNode answer = JSON.readTree(line(end));
      if (answer.has("return")) {
        return answer.get("return");
      }
      if (answer.has("error")) {
        throw new IOException(command + ": " + answer.get("error").path("desc").asText());
      }
    }
  }

  private String line(long end) throws IOException {
    java.io.ByteArrayOutputStream line = new java.io.ByteArrayOutputStream();
    while (true) {
      while (received.hasRemaining()) {
        byte b = received.get();
        if (b == '\n') {
          return line.toString(StandardCharsets.UTF_8);
        }
        line.write(b);
      }
      received.clear();
      int n = channel.read(received);
      received.flip();
      if (n < 0) {
        throw new EOFException("QEMU closed its monitor");
      }
      if (n == 0) {
        long left = end - System.nanoTime();
        if (left <= 0) {
          throw new SocketTimeoutException("QEMU's monitor does not answer");
        }
        selector.select(Math.max(1, left / 1_000_000));
        selector.selectedKeys().clear();
        if (Thread.currentThread().isInterrupted()) {
          throw new java.io.InterruptedIOException("interrupted while waiting for QEMU");
        }
      }
    }
  }

  /** Whether it has not been closed. */
  boolean isOpen() {
    return channel.isOpen();
  }

  @Override
  public void close() throws IOException {
    selector.close();
    channel.close();
  }
}
