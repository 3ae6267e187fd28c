package dev.peerbar.driver;

import java.io.IOException;
import java.time.Duration;

/** An interrupt vector of a device, as its driver has it. For one thread at a time. */
public interface Interrupt {

  /**
   * Waits until the vector has been signalled, and forgets that.
   *
   * @return how often it was since it was last asked, which may count several as one; 0 if it was
   *     not in time
   */
  long await(Duration limit) throws IOException;

  /** Forgets what has been signalled by now; how often that was, as {@link #await} counts. */
  long drain() throws IOException;
}
