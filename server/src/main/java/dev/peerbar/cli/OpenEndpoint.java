package dev.peerbar.cli;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.storage.Storage;
import java.util.Optional;

/**
 * An endpoint with what was opened for it.
 *
 * @param storage what it keeps its blocks in; to be closed after the endpoint's server, whose
 *     engines may be reading and writing until then
 */
record OpenEndpoint(Endpoint endpoint, Optional<Storage> storage) implements AutoCloseable {
  static OpenEndpoint without(Endpoint endpoint) {
    return new OpenEndpoint(endpoint, Optional.empty());
  }

  @Override
  public void close() {
    storage.ifPresent(Storage::close);
  }
}
