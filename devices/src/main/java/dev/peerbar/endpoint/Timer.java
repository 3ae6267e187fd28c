package dev.peerbar.endpoint;

import java.time.Duration;

/**
 * Something that is to happen once, later. For the function's thread, where it happens too.
 *
 * <p>It is made disarmed. A reset of any kind, and the pause of a migration ({@link
 * Migratable#pause}), cancel it before the endpoint is told: what was armed before does not happen
 * then. While the function is paused it is not to be armed.
 *
 * <p>It happens no earlier than it was armed for, and as soon afterwards as the function's thread
 * is free; on a busy machine that may be milliseconds. So who arms it again each time that it
 * happens has a period that is longer by that, and drifts.
 */
public interface Timer {

  /**
   * Has it happen once, when so much time has passed; not when it was armed for before.
   *
   * @param delay not negative; zero is as soon as this call's caller has returned
   */
  void arm(Duration delay);

  /** Has it not happen. */
  void cancel();

  /** Whether it is yet to happen. */
  boolean armed();
}
