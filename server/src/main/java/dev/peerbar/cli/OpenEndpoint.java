package dev.peerbar.cli;

import dev.peerbar.endpoint.Endpoint;

/**
 * An endpoint with what was opened for it.
 *
 * @param storage to be closed after the endpoint's server, whose engines may be reading and writing
 *     until then
 */
record OpenEndpoint(Endpoint endpoint, OpenedStorage storage) implements AutoCloseable {
  @Override
  public void close() {
    storage.close();
  }
}
