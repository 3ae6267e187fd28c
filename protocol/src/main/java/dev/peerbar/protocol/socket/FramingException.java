package dev.peerbar.protocol.socket;

/** The stream does not say any more where a message begins. The channel is closed. */
public final class FramingException extends Exception {
  private static final long serialVersionUID = 1L;

  FramingException(String message) {
    super(message, null, false, false);
  }
}
