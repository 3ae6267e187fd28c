package dev.peerbar.scenario;

/**
 * A scenario found, while it was tried, that something is missing which could not be looked for
 * before; the message says what.
 */
public final class SkippedException extends Exception {
  private static final long serialVersionUID = 1L;

  public SkippedException(String missing) {
    super(missing);
  }
}
