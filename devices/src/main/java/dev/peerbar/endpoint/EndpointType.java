package dev.peerbar.endpoint;

import java.io.IOException;
import java.util.List;

/**
 * A kind of endpoint that can be served by its name. {@link java.util.ServiceLoader} finds it: the
 * jar lists it in {@code META-INF/services/dev.peerbar.endpoint.EndpointType}, and it has a public
 * constructor without parameters.
 *
 * <p>All methods are called on one thread, before anything is served, and may be called more than
 * once.
 */
public interface EndpointType {

  /** What it is called, as in {@code serve NAME}: a lower-case letter, then those, digits and -. */
  String name();

  /** What it serves, as help goes on after "Serve": "an accelerator with DMA channels". */
  String description();

  /** What can be chosen, on the command line and in a file. The names differ from each other. */
  default List<EndpointOption<?>> options() {
    return List.of();
  }

  /**
   * Looks whether the options go together, and at nothing else: nothing is opened and no thread
   * started.
   *
   * @param options what was given, of {@link #options}
   * @return makes the endpoint that they describe
   * @throws IllegalArgumentException with a sentence for whoever gave them, if they do not
   */
  Factory configure(EndpointOptions options);

  /** Makes one endpoint. */
  @FunctionalInterface
  interface Factory {

    /**
     * Makes it.
     *
     * @throws IOException with a sentence if something that it stands on cannot be had
     */
    Endpoint make(EndpointContext context) throws IOException;
  }
}
