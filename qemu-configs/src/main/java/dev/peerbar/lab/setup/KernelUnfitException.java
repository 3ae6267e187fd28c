package dev.peerbar.lab.setup;

/**
 * There is no kernel to try, and its source is to blame: a patch does not apply, it does not
 * compile, or it cannot be configured as it was asked for.
 */
public final class KernelUnfitException extends SetupException {
  private static final long serialVersionUID = 1;

  KernelUnfitException(String message) {
    super(message);
  }

  KernelUnfitException(String message, Throwable cause) {
    super(message, cause);
  }
}
