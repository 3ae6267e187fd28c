package dev.peerbar.endpoint;

import dev.peerbar.pci.InvalidStateException;

/**
 * An endpoint whose state can move to another process, where another object of its class goes on.
 *
 * <p>The endpoint saves its registers and what its engines have left to do. Config space with what
 * is stored of the endpoint's own there ({@link dev.peerbar.pci.ConfigRegister}), the MSI-X
 * structures, mapped doorbells and the memory behind BARs are the host's, which saves them itself.
 * Every method runs on the function's thread; between {@link #pause} and {@link #resume} the
 * registers are still read and written, and a reset ends the pause.
 */
public interface Migratable extends Endpoint {

  /**
   * The version of what {@link #save} writes. A state moves only to an endpoint with the same one:
   * it changes with every change of the fields or of what they mean.
   */
  int stateVersion();

  /**
   * Stops the endpoint. All jobs have ended and have left their work, nothing they queued will run,
   * and all timers are cancelled: what they have to say that was not said by an update is to be
   * taken from them now. Until {@link #resume} no job is submitted; what registers ask for
   * meanwhile is remembered. The host holds back interrupts that are raised after this call until
   * {@link #resume} too.
   */
  void pause();

  /**
   * Goes on with what was left at {@link #pause}, or restored, or asked for since; a timer that was
   * cancelled is armed here again. The level of an interrupt pin does not move with the state: an
   * endpoint that has one asserts it here again.
   */
  void resume();

  /** Writes the state. The endpoint is paused. */
  void save(StateWriter state);

  /**
   * Takes on a state that an endpoint declared like this one saved, or that somebody made up: every
   * field is judged. The endpoint is paused and stays so. Config space is the saved one already;
   * the host takes it back if this throws.
   *
   * @throws InvalidStateException if the endpoint could never be in it; nothing has changed then
   */
  void restore(StateReader state) throws InvalidStateException;
}
