package dev.peerbar.lab.scenario.passthrough;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListenAddress;
import dev.peerbar.server.ServerOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Two endpoints that this process serves, and the guest that has them on ports a and b. */
public final class ServedPair implements AutoCloseable {
  private final Path sockets;
  private EndpointServer serverA;
  private EndpointServer serverB;
  private Lab lab;

  private ServedPair(Path sockets) {
    this.sockets = sockets;
  }

  /**
   * An endpoint and how it is served.
   *
   * @param name what it is called in logs
   */
  public record Named(String name, Endpoint endpoint, ServerOptions options) {
    /** Served as {@code peerbar serve} does without options. */
    public Named(String name, Endpoint endpoint) {
      this(name, endpoint, ServerOptions.DEFAULT);
    }
  }

  /**
   * Serves the endpoints and boots the guest.
   *
   * @param machine without endpoints
   * @param logs where QEMU's and the guest's logs go
   */
  public static ServedPair boot(LabFiles files, VirtualMachine machine, Path logs, Named a, Named b)
      throws IOException {
    ServedPair pair = new ServedPair(Files.createTempDirectory("peerbar-"));
    try {
      Path socketA = pair.sockets.resolve("a.sock");
      Path socketB = pair.sockets.resolve("b.sock");
      pair.serverA = serve(a, socketA);
      pair.serverB = serve(b, socketB);
      pair.lab =
          Lab.boot(files, machine.withEndpoint("a", socketA).withEndpoint("b", socketB), logs);
      return pair;
    } catch (IOException | RuntimeException e) {
      pair.close();
      throw e;
    }
  }

  private static EndpointServer serve(Named named, Path socket) throws IOException {
    return EndpointServer.start(
        named.name, named.endpoint, new ListenAddress.AtPath(socket), named.options);
  }

  public EndpointServer serverA() {
    return serverA;
  }

  public EndpointServer serverB() {
    return serverB;
  }

  public Lab lab() {
    return lab;
  }

  @Override
  public void close() throws IOException {
    try {
      if (lab != null) {
        lab.close();
      }
    } finally {
      if (serverB != null) {
        serverB.close();
      }
      if (serverA != null) {
        serverA.close();
      }
      Files.deleteIfExists(sockets);
    }
  }
}
