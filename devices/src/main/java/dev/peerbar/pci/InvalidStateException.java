package dev.peerbar.pci;

/** A saved state that the function cannot be in, or that is not of this function. */
public final class InvalidStateException extends Exception {
  private static final long serialVersionUID = 1L;

  /**
   * @param message one sentence that says what is wrong
   */
  public InvalidStateException(String message) {
    super(message);
  }
}
