package dev.peerbar.lab.setup;

/**
 * Something is missing that set-up cannot get by itself. The message is one sentence that says what
 * would help.
 */
public sealed class SetupException extends Exception permits KernelUnfitException {
  private static final long serialVersionUID = 1;

  SetupException(String message) {
    super(message);
  }

  SetupException(String message, Throwable cause) {
    super(message, cause);
  }
}
