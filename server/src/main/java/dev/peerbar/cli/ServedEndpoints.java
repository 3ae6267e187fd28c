package dev.peerbar.cli;

import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListeningPlace;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** All that this process serves, and what that stands on. For any thread. */
final class ServedEndpoints implements AutoCloseable {
  private final List<Served> all = new ArrayList<>();

  private record Served(EndpointServer server, OpenEndpoint endpoint) {
    void close() {
      // Only then nothing reads and writes its storage any more.
      server.close();
      endpoint.close();
    }
  }

  /**
   * Serves one more.
   *
   * @throws IOException with a sentence if it cannot be served
   * @throws IllegalArgumentException with a sentence if its options do not go together
   */
  synchronized void start(EndpointSpec spec, ListeningPlace place) throws IOException {
    OpenEndpoint endpoint = spec.open(place);
    try {
      EndpointServer server =
          EndpointServer.start(
              spec.name() + all.size(), endpoint.endpoint(), place, spec.options());
      all.add(new Served(server, endpoint));
    } catch (IOException e) {
      endpoint.close();
      throw e;
    }
  }

  /** Ends it all. */
  @Override
  public synchronized void close() {
    all.forEach(Served::close);
    all.clear();
  }
}
