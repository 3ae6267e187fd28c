package dev.peerbar.server;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.TimerSlack;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.socket.DescriptorServerSocketChannel;
import dev.peerbar.protocol.socket.DescriptorSocketChannel;
import dev.peerbar.protocol.socket.Poller;
import dev.peerbar.protocol.socket.SocketEventLoop;
import dev.peerbar.server.fault.FaultRequest;
import dev.peerbar.server.fault.Faults;
import dev.peerbar.server.function.ServedFunction;
import dev.peerbar.server.screenshot.ScreenshotRequest;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves one endpoint. Its event loop is the function's thread: sockets, registers, the DMA table
 * and interrupts are handled there, one thing at a time. For any thread.
 */
public final class EndpointServer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(EndpointServer.class);

  /** The exit status of a process whose client took away memory that was trusted. */
  public static final int BETRAYED = 3;

  private static final long CLOSE_TIMEOUT_SECONDS = 10;
  private static final long FAREWELL_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final EventLoopGroup functionThread;
  private final ServedFunction function;
  private final Connections connections;
  private final Optional<SocketFile> socketFile;
  private final List<LineSocket> lineSockets;

  private EndpointServer(
      EventLoopGroup functionThread,
      ServedFunction function,
      Connections connections,
      Optional<SocketFile> socketFile,
      List<LineSocket> lineSockets) {
    this.functionThread = functionThread;
    this.function = function;
    this.connections = connections;
    this.socketFile = socketFile;
    this.lineSockets = List.copyOf(lineSockets);
  }

  /** Begins to serve whoever the socket lets in, with {@link ServerOptions#DEFAULT}. */
  public static EndpointServer start(String name, Endpoint endpoint, ListenAddress place)
      throws IOException {
    return start(name, endpoint, place, ServerOptions.DEFAULT);
  }

  /**
   * Begins to serve. When it returns clients can connect.
   *
   * @param name of the endpoint in logs and threads
   * @throws IOException with a sentence if the place cannot be served at, or memory cannot be had
   */
  public static EndpointServer start(
      String name, Endpoint endpoint, ListenAddress place, ServerOptions options)
      throws IOException {
    EventLoopGroup loop = SocketEventLoop.group(new DefaultThreadFactory(name));
    ServedFunction function = null;
    try {
      function =
          new ServedFunction(
              name, endpoint, loop.next(), options.maxDmaMaps(), options.polling().isPresent());
      function.poller().ifPresent(poller -> poll(loop, new LoopPoller(poller), options.polling()));
      if (options.trustMemory()) {
        function.bus().trustMemory(() -> end(name));
      }
      Connections connections = new Connections(function, options);
      return switch (place) {
        case ListenAddress.AtPath atPath -> {
          SocketFile file = SocketFile.listen(atPath.path(), atPath.mode());
          try {
            listen(loop, file.descriptor(), connections);
            List<LineSocket> beside = beside(function, endpoint, atPath.path(), options);
            yield new EndpointServer(loop, function, connections, Optional.of(file), beside);
          } catch (IOException | RuntimeException | Error e) {
            file.close();
            throw e;
          }
        }
        case ListenAddress.Inherited inherited -> {
          if (options.inject()) {
            throw new IOException(
                "faults are asked for beside the path of a socket, and %s has none: serve at a path"
                    .formatted(inherited));
          }
          serveInherited(loop, inherited.descriptor(), connections);
          yield new EndpointServer(loop, function, connections, Optional.empty(), List.of());
        }
      };
    } catch (IOException | RuntimeException | Error e) {
      if (function != null) {
        function.stop();
      }
      Future<?> ended = loop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
      if (function != null && ended.awaitUninterruptibly(CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
        function.free();
      }
      throw e;
    }
  }

  private static void poll(EventLoopGroup loop, Poller poller, Optional<Polling> polling) {
    SocketEventLoop functionThread = (SocketEventLoop) loop.next();
    functionThread.execute(() -> {
      TimerSlack.least();
      polling.ifPresent(Polling::pinCallingThread);
      functionThread.poll(poller, polling.map(Polling::nanos).orElse(0L));
    });
  }

  /** Where it is asked something beside what its clients ask. */
  private static List<LineSocket> beside(
      ServedFunction function, Endpoint endpoint, Path path, ServerOptions options)
      throws IOException {
    List<LineSocket> sockets = new ArrayList<>();
    try {
      if (options.inject()) {
        sockets.add(
            LineSocket.listen(
                function.name(),
                "inject",
                FaultRequest.socketOf(path),
                new FaultAnswering(function.name(), function.faults())));
      }
      if (endpoint.screenshots().isPresent()) {
        sockets.add(
            LineSocket.listen(
                function.name(),
                "screenshot",
                ScreenshotRequest.socketOf(path),
                new ScreenshotAnswering(endpoint.screenshots().get())));
      }
      return sockets;
    } catch (IOException | RuntimeException | Error e) {
      sockets.forEach(LineSocket::close);
      throw e;
    }
  }

  /** The client has taken away memory that it was trusted to leave. */
  private static void end(String name) {
    System.err.println(
        name
            + ": ending at once: the client took away memory that --trust-memory trusted it to"
            + " leave in place, and what was copied from or to it is not to be relied on");
    Runtime.getRuntime().halt(BETRAYED);
  }

  private static void serveInherited(EventLoopGroup loop, int number, Connections connections)
      throws IOException {
    FileDescriptor socket = FileDescriptor.adopt(number);
    try {
      if (!UnixSocket.isUnixStream(socket)) {
        throw new IOException("descriptor %d is no UNIX stream socket".formatted(number));
      }
      if (UnixSocket.isListening(socket)) {
        // As whoever opened it may not have: accepting must never wait.
        UnixSocket.makeNonBlocking(socket);
        listen(loop, socket, connections);
      } else {
        connections.accept(DescriptorSocketChannel.adopt(socket), loop);
      }
    } catch (LinuxException e) {
      throw new IOException(
          "descriptor %d cannot be served: %s".formatted(number, e.getMessage()), e);
    }
  }

  private static void listen(EventLoopGroup loop, FileDescriptor socket, Connections connections) {
    Channel server = new DescriptorServerSocketChannel(socket);
    server.pipeline().addLast(new Acceptor(connections, loop));
    loop.register(server).syncUninterruptibly();
  }

  /** The function that is served. */
  public ServedFunction function() {
    return function;
  }

  /** What the endpoint does wrong because it is told to. */
  public Faults faults() {
    return function.faults();
  }

  /**
   * What the client has given the endpoint, once all that it asked before is done.
   *
   * @throws IOException if the function's thread does not answer in 10 s, or has ended
   */
  public ClientHoldings holdings() throws IOException {
    try {
      return functionThread
          .next()
          .submit(() -> ClientHoldings.of(function))
          .get(CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while waiting for " + function.name());
    } catch (ExecutionException | TimeoutException | RejectedExecutionException e) {
      throw new IOException(function.name() + " does not answer", e);
    }
  }

  /**
   * Stops: the socket goes, all work ends, what the client has asked is answered, its connection is
   * closed and everything is freed. Bounded in time.
   */
  @Override
  public void close() {
    socketFile.ifPresent(SocketFile::close);
    lineSockets.forEach(LineSocket::close);
    try {
      awaitClosed(functionThread.next().submit(this::finish));
      functionThread.next().submit(this::stop).await(CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS);
      boolean ended =
          functionThread
              .shutdownGracefully(0, CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
              .await(CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS);
      if (ended) {
        function.free();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RejectedExecutionException e) {
      log.warn("{}: its thread had ended before", function.name());
    }
    log.info("{}: stopped", function.name());
  }

  private List<DescriptorSocketChannel> finish() {
    function.endWork();
    return connections.finish();
  }

  private static void awaitClosed(Future<List<DescriptorSocketChannel>> finishing)
      throws InterruptedException {
    long deadline = System.nanoTime() + FAREWELL_NANOS;
    if (finishing.await(FAREWELL_NANOS, TimeUnit.NANOSECONDS) && finishing.isSuccess()) {
      for (DescriptorSocketChannel connection : finishing.getNow()) {
        connection.closeFuture().await(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
      }
    }
  }

  private void stop() {
    connections.close();
    function.stop();
  }
}
