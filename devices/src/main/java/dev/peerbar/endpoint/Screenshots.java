package dev.peerbar.endpoint;

import java.util.Optional;

/** What an endpoint with outputs shows to whoever would look at them. For any thread. */
public interface Screenshots {

  /** How many outputs there are: they are counted from 0. */
  int outputs();

  /**
   * What an output shows now; empty if the driver has it show nothing. Waits for nobody.
   *
   * @throws IndexOutOfBoundsException if there is no such output
   */
  Optional<Picture> screenshot(int output);
}
