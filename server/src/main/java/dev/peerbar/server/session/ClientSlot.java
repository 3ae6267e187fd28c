package dev.peerbar.server.session;

/** A function's slot for a client: one session at a time has it. For the function's thread. */
public interface ClientSlot {

  /**
   * Whether the client has gone but what it sent before is still being done: no reason to refuse
   * another one.
   */
  boolean isBeingLeft();

  /** Runs something when the slot is free; more than one may wait for that. */
  void whenFree(Runnable action);

  /**
   * Takes the slot.
   *
   * @return false if another session has it
   */
  boolean take();

  /** Gives the slot back, once all that the client brought is freed. */
  void leave();
}
