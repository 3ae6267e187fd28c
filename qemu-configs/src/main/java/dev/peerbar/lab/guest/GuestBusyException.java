package dev.peerbar.lab.guest;

import java.io.IOException;

/**
 * The agent has as much under way as it can have, and did nothing: calls, pollers, races, or bytes
 * of their arguments. Something must end before the call can be made.
 */
public final class GuestBusyException extends IOException {
  private static final long serialVersionUID = 1;

  GuestBusyException(GuestCall call, String reason) {
    super("%s was not begun: %s".formatted(call, reason));
  }
}
