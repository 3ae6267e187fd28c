package dev.peerbar.endpoint;

import dev.peerbar.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What whoever serves an endpoint has for its making. Storage that is opened here is closed after
 * the endpoint's last engine has ended, or at once if the endpoint cannot be served.
 */
public interface EndpointContext {

  /**
   * Opens a raw image or a block device, and keeps others from it.
   *
   * @throws IOException with a sentence that says why it cannot be had
   */
  Storage image(Path path) throws IOException;

  /**
   * Storage of zeros that lasts as long as the process.
   *
   * @param size in bytes, positive
   * @throws IOException with a sentence if there is no room for it
   */
  Storage memory(long size) throws IOException;

  /**
   * A serial number for an endpoint that was given none: 18 letters and digits, the same whenever
   * the endpoint is served again, another one for every other endpoint.
   *
   * @param image what it keeps its blocks in, which says which endpoint it is; if empty, the place
   *     where it is served does
   */
  String serialNumber(Optional<Path> image);
}
