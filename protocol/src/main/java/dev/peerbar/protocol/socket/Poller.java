package dev.peerbar.protocol.socket;

/**
 * What can happen without an event on a socket, and what is to be done then. All of it with the
 * loop's lock, but for {@link #active} and {@link #rings}.
 */
public interface Poller {

  /** Whether anything can happen at all; whoever changes that wakes the loop. For any thread. */
  boolean active();

  /** Whether something seems to have happened. For the loop's own thread. */
  boolean rings();

  /**
   * Does what is to be done, some tens of microseconds of it. Throws nothing.
   *
   * @return whether there was anything; there may be more
   */
  boolean run();

  /**
   * Nothing is run from now on before something happens on the loop, or {@link #rings}. Throws
   * nothing.
   *
   * @return false if there is something to do first
   */
  boolean rest();
}
