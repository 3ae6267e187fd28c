package dev.peerbar.bench.rig;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListeningPlace;
import dev.peerbar.server.ServerOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** An endpoint served by this process, for one client at a time. */
public final class ServedEndpoint implements AutoCloseable {
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);

  private final Path folder;
  private final Path path;
  private final EndpointServer server;

  private ServedEndpoint(Path folder, Path path, EndpointServer server) {
    this.folder = folder;
    this.path = path;
    this.server = server;
  }

  /** Serves one at a socket of its own, as it is served if nothing else is said. */
  public static ServedEndpoint start(String name, Endpoint endpoint) throws IOException {
    return start(name, endpoint, ServerOptions.DEFAULT);
  }

  /** Serves one at a socket of its own. */
  public static ServedEndpoint start(String name, Endpoint endpoint, ServerOptions options)
      throws IOException {
    Path folder = Files.createTempDirectory("peerbar-bench");
    Path path = folder.resolve(name + ".sock");
    EndpointServer server =
        EndpointServer.start(name, endpoint, new ListeningPlace.AtPath(path), options);
    return new ServedEndpoint(folder, path, server);
  }

  /**
   * A bare connection, on which the version is agreed on.
   *
   * @param room the most bytes of a message to be received
   */
  public Messenger connectBare(int room) throws IOException {
    return Messenger.agreed(connectSocket(), room);
  }

  /** A connection, on which nothing has been said. */
  FileDescriptor connectSocket() throws IOException {
    return UnixSocket.connect(path, CONNECT_TIMEOUT);
  }

  /** A client, that has not agreed on a version. */
  public VfioUserClient connect() throws IOException {
    return VfioUserClient.connect(path);
  }

  /** The server. */
  public EndpointServer server() {
    return server;
  }

  @Override
  public void close() throws IOException {
    server.close();
    Files.delete(folder);
  }
}
