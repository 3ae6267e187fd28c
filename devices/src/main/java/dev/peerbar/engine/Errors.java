package dev.peerbar.engine;

import dev.peerbar.endpoint.DmaFaultException;

/**
 * What a device calls the failures that are not in what it was asked to do, but beneath it. For any
 * thread.
 *
 * @param <F> a failure as the device tells it
 */
public interface Errors<F> {

  /** A transfer met a byte that it could not move. */
  F of(DmaFaultException fault);

  /**
   * The endpoint's own work threw, by a mistake of its author's or for want of memory. The same
   * object at every call: there may be no memory for another one.
   */
  F broken();
}
