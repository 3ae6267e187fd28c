package dev.peerbar.server.dma;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * A range of IOVAs that the client made accessible.
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

  /**
   * Bytes from {@code address}, which must be inside, to the end, or the most that a long can be.
   */
  long remaining(long address) {
    long left = size - (address - iova);
    return left < 0 ? Long.MAX_VALUE : left;
  }

  /** Whether a file was sent with it, so that no message is needed to reach it. */
  boolean direct() {
    return file.isPresent();
  }

  /** Reads directly; the range must be inside. Returns whether all of it could be read. */
  boolean read(long address, MemorySegment into) {
    return file.orElseThrow().file().read(fileOffset(address), into);
  }

  /** Writes directly; the range must be inside. Returns whether all of it could be written. */
  boolean write(long address, MemorySegment from) {
    return file.orElseThrow().file().write(fileOffset(address), from);
  }

  /** The bytes themselves, if they are mapped into this process; the range must be inside. */
  Optional<MemorySegment> memory(long address, long length) {
    return file.map(ClientFiles.Reference::file)
        .filter(ClientFile.Mapped.class::isInstance)
        .map(open -> ((ClientFile.Mapped) open).memory(fileOffset(address), length));
  }

  private long fileOffset(long address) {
    return offset + (address - iova);
  }
}
