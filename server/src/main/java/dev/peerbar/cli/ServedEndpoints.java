package dev.peerbar.cli;

import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListenAddress;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** All that this process serves, and what that stands on. For any thread. */
final class ServedEndpoints implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ServedEndpoints.class);

  private final List<Served> all = new ArrayList<>();
  private boolean closed;

  private record Served(EndpointServer server, OpenEndpoint endpoint) {
    void close() {
      try {
        server.close();
      } finally {
        // Only now nothing reads and writes its storage any more.
        endpoint.close();
      }
    }
  }

  /**
   * Serves one more.
   *
   * @return false if it has all been ended: nothing is served then
   * @throws IOException with a sentence if it cannot be served
   * @throws IllegalArgumentException with a sentence if its options do not go together
   */
  synchronized boolean start(EndpointSpec spec, ListenAddress place) throws IOException {
    if (closed) {
      return false;
    }
    OpenEndpoint endpoint = spec.open(place);
    try {
      EndpointServer server =
          spec.type()
              .answered(() ->
                  EndpointServer.start(
                      spec.type().name() + all.size(),
                      endpoint.endpoint(),
                      place,
                      spec.serving().options()));
      all.add(new Served(server, endpoint));
      return true;
    } catch (IOException | RuntimeException | Error e) {
      endpoint.close();
      throw e;
    }
  }

  /** Ends it all, and what would be started from now on. */
  @Override
  public synchronized void close() {
    closed = true;
    for (Served served : all) {
      try {
        served.close();
      } catch (RuntimeException | Error e) {
        log.error("an endpoint did not end as it should", e);
      }
    }
    all.clear();
  }
}
