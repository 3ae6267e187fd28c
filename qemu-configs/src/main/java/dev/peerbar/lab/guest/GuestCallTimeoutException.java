package dev.peerbar.lab.guest;

import java.io.IOException;
import java.time.Duration;

/**
 * A call took longer than its limit. It may still be under way in the guest, and what it uses stays
 * its own until it ends; the connection and other calls go on. {@link GuestAgent#underWay} says
 * where it hangs.
 */
public final class GuestCallTimeoutException extends IOException {
  private static final long serialVersionUID = 1;

  private final Duration limit;

  GuestCallTimeoutException(GuestCall call, Duration limit) {
    super("%s did not end within %s".formatted(call, Words.of(limit)));
    this.limit = limit;
  }

  /** How long the call was waited for. */
  public Duration limit() {
    return limit;
  }
}
