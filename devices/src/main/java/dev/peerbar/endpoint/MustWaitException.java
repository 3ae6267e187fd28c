package dev.peerbar.endpoint;

/**
 * What was asked for cannot be done without waiting, or takes long, and the work that asked is
 * {@link Engine.Polled}. A part of it may have been done. Whoever catches this has the whole
 * descriptor or command done again, by a job of the engine's own, which may wait.
 */
public final class MustWaitException extends JobEndedException {
  private static final long serialVersionUID = 1L;

  /** There is nothing to tell one from another. */
  public static final MustWaitException INSTANCE = new MustWaitException();

  private MustWaitException() {
    super("this must wait");
  }
}
