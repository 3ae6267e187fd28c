package dev.peerbar.lab.scenario;

/** A step saw something else than it expected; the message says what. */
public final class UnexpectedException extends Exception {
  private static final long serialVersionUID = 1L;

  public UnexpectedException(String seen) {
    super(seen);
  }

  /** Throws what was seen unless it is as it should be. */
  static void unless(boolean asExpected, String format, Object... seen) throws UnexpectedException {
    if (!asExpected) {
      throw new UnexpectedException(format.formatted(seen));
    }
  }
}
