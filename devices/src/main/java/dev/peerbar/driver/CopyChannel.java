package dev.peerbar.driver;

import dev.peerbar.pci.AccessWidth;
import java.io.IOException;

/**
 * What channels of DMA engines have in common: a ring of descriptors that can copy, a doorbell that
 * says how many are valid, and a vector. For one thread at a time.
 *
 * <p>The caller keeps count: of descriptors that are not over there must be fewer than entries.
 */
public interface CopyChannel {

  /**
   * Puts a copy into an entry that is not valid yet.
   *
   * @param ahead how many entries after the last valid one, from 0
   * @param source IOVA
   * @param destination IOVA
   * @param size in bytes, at most what the engine takes
   * @param interrupts whether the channel interrupts when it is done
   */
  void copyAhead(int ahead, long source, long destination, int size, boolean interrupts)
      throws IOException;

  /** The offset of the doorbell in the BAR of registers. */
  long doorbell();

  /** How wide the doorbell is. */
  AccessWidth doorbellWidth();

  /** Counts the next entries as valid. Returns what the doorbell is to say then. */
  int advance(int count);

  /** The channel's vector, as it is after a reset. */
  Interrupt vector();
}
