package dev.peerbar.lab.guest;

import java.io.IOException;

/**
 * The connection to the guest's agent has ended: QEMU has, or what came over it is no answer. No
 * call can be made any more.
 */
public final class GuestGoneException extends IOException {
  private static final long serialVersionUID = 1;

  GuestGoneException(Throwable cause) {
    super("the guest is gone: " + cause.getMessage(), cause);
  }
}
