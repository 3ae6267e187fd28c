package dev.peerbar.engine;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;

/**
 * Where a channel's descriptors come from, one after another, from when the channel starts until it
 * stops: the next start needs another one. For the engine's thread.
 */
public interface DescriptorSource {

  /**
   * Fetches the next descriptors, all of which will be carried out before the next call.
   *
   * @param most how many its driver has said are valid, at least 1
   * @return how many were fetched, at least 1
   * @throws DmaFaultException if the next one cannot be read
   * @throws BadLinkException if there is no telling where the next one is
   */
  int fetch(Dma dma, FetchBuffer into, int most)
      throws DmaFaultException, BadLinkException, JobEndedException;

  /** The IOVA of one of those that were fetched last. */
  long iova(int index);
}
