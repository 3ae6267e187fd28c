package dev.peerbar.cli;

import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import dev.peerbar.endpoint.EndpointOptions;
import dev.peerbar.server.ListenAddress;
import java.io.IOException;

/**
 * One endpoint to serve, as the command line or a file says it.
 *
 * @param serving how, and to whom
 * @param options of the type's own that were given
 */
@JsonDeserialize(using = EndpointDeserializer.class)
record EndpointSpec(FoundType type, ServeOptions serving, EndpointOptions options) {

  /**
   * Looks whether the options go together, and at nothing else.
   *
   * @throws IllegalArgumentException with a sentence if they do not
   */
  void check() {
    serving.check();
    type.configure(options);
  }

  /**
   * Makes the endpoint, and opens what it stands on.
   *
   * @param place where it will be served
   * @throws IllegalArgumentException with a sentence if the options do not go together
   * @throws IOException with a sentence if something cannot be opened
   */
  OpenEndpoint open(ListenAddress place) throws IOException {
    OpenedStorage storage = new OpenedStorage(place);
    try {
      return new OpenEndpoint(type.make(options, storage), storage);
    } catch (IOException | RuntimeException | Error e) {
      storage.close();
      throw e;
    }
  }
}
