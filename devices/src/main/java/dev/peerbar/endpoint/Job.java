package dev.peerbar.endpoint;

/** One piece of work in progress. For the engine's thread, while the work runs. */
public interface Job {

  /** Bus mastering on behalf of this job. */
  Dma dma();

  /**
   * Hands a change of the function's state to the function's thread, in order. It is dropped if the
   * job has ended by the time its turn comes. A change that throws is work that does: see {@link
   * Engine#submit}.
   *
   * @throws JobEndedException if the job has ended already
   */
  void update(Runnable change) throws JobEndedException;

  /**
   * Signals an interrupt vector, of MSI-X or MSI as {@link Interrupts#raise} does: after what this
   * job has written, without waiting for the function's thread where nothing holds the vector back.
   *
   * @throws JobEndedException if the job has ended: nothing is signalled then
   */
  void raise(int vector) throws JobEndedException;

  /**
   * Signals an interrupt vector if nothing holds it back, after what this job has written. Nothing
   * is left to the function's thread: for endpoints that have to know what has been signalled, even
   * if the job ends.
   *
   * @return false if it was not signalled: {@link Interrupts#raise} does all that is needed then
   * @throws JobEndedException if the job has ended: nothing is signalled then
   */
  boolean signal(int vector) throws JobEndedException;
}
