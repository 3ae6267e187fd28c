package dev.peerbar.scenario.tour;

import java.io.IOException;

/** A guest of a tour did not boot; the message says why. */
public final class NoGuestException extends IOException {
  private static final long serialVersionUID = 1L;

  NoGuestException(String message) {
    super(message);
  }
}
