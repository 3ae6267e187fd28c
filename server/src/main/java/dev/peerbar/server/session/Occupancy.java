package dev.peerbar.server.session;

/** A function's place for a client: one session at a time has it. For the function's thread. */
public interface Occupancy {

  /**
   * Whether the client has gone but what it sent before is still being done: no reason to refuse
   * another one.
   */
  boolean isBeingLeft();

  /** Runs something when the place is free; more than one may wait for that. */
  void whenFree(Runnable action);

  /**
   * Takes the place.
   *
   * @return false if another session has it
   */
  boolean take();

  /** Gives the place back, once all that the client brought is freed. */
  void leave();
}
