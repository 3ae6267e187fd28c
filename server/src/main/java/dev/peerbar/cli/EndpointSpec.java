package dev.peerbar.cli;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.peerbar.endpoint.Endpoint;
import java.nio.file.Path;

/** One endpoint to serve, as the command line or a file says it. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
@JsonSubTypes(@JsonSubTypes.Type(value = HbmSpec.class, name = "hbm"))
sealed interface EndpointSpec permits HbmSpec {

  /** Where to listen; null on the command line if a descriptor is given instead. */
  Path socketPath();

  /** What the endpoint is called in logs and threads. */
  String name();

  /**
   * Makes the endpoint.
   *
   * @throws IllegalArgumentException with a sentence if the options do not go together
   */
  Endpoint endpoint();
}
