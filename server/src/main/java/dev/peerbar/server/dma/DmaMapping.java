package dev.peerbar.server.dma;

import java.util.Optional;

/**
 * A range of IOVAs that the client made accessible, and unmaps as a whole.
 *
 * @param iova first address, unsigned
 * @param size in bytes, unsigned, at least 1; {@code iova + size - 1} does not wrap
 * @param file the file behind it; empty if it can be reached by messages only
 * @param offset of the first byte in the file
 */
record DmaMapping(
    long iova,
    long size,
    boolean readable,
    boolean writable,
    Optional<ClientFiles.Reference> file,
    long offset) {

  /** The last address, unsigned. */
  long last() {
    return iova + size - 1;
  }
}
