package dev.peerbar.engine;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;

/**
 * What a device makes of its descriptors, one at a time: {@link #execute}, then {@link #complete},
 * then {@link #interrupts}. For the engine's thread, but for what {@link Errors} has.
 *
 * @param <F> a failure as the device tells it
 */
public interface DescriptorHandler<F> extends Errors<F> {

  /**
   * Carries out a descriptor. A fault that is thrown is the failure that {@link #of} makes of it;
   * anything else that is thrown is {@link #broken}.
   *
   * @param fetched private memory that has the descriptor, aligned to a cache line
   * @param offset of the descriptor in it
   * @param iova where the descriptor is in client memory
   * @return why it cannot be carried out; null if it was
   */
  F execute(Dma dma, MemorySegment fetched, long offset, long iova)
      throws DmaFaultException, JobEndedException;

  /**
   * Writes what says that the descriptor is done, or has failed, if it asks for that. A fault that
   * is thrown makes a failure of one that was done; one that failed stays what it is.
   *
   * @param failure null if the descriptor was carried out
   */
  void complete(Dma dma, F failure) throws DmaFaultException, JobEndedException;

  /** Whether the descriptor that was done last asks for an interrupt. */
  boolean interrupts();

  /** The next descriptor cannot be read. Returns why the channel stops. */
  default F unreadable(Dma dma, DmaFaultException fault) throws JobEndedException {
    return of(fault);
  }

  /** The next descriptor cannot be found. Returns why the channel stops. */
  default F unlinked(Dma dma, BadLinkException link) throws JobEndedException {
    throw new IllegalStateException("descriptors without links", link);
  }
}
