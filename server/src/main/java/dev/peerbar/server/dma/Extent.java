package dev.peerbar.server.dma;

import dev.peerbar.endpoint.DmaFaultException.Access;
import java.lang.foreign.MemorySegment;

/**
 * A range of IOVAs that an engine reaches in one go: a {@link Run} of mappings in one file, or else
 * one mapping.
 *
 * <p>Never changed. Of use until the {@link DmaTable} changes; to be looked at inside the {@link
 * Gate}, or on the function's thread.
 */
final class Extent {
  private final long iova;
  private final long size;
  private final boolean readable;
  private final boolean writable;
  // Null if it can be reached by messages only.
  private final ClientFile file;
  private final long offset;
  // All bytes of the file, or null if they cannot simply be touched.
  private final MemorySegment memory;

  private Extent(
      long iova, long size, boolean readable, boolean writable, ClientFile file, long offset) {
    this.iova = iova;
    this.size = size;
    this.readable = readable;
    this.writable = writable;
    this.file = file;
    this.offset = offset;
    this.memory = file instanceof ClientFile.Touched touched ? touched.memory() : null;
  }

  /**
   * What can be reached of a run.
   *
   * @param file behind it, or null
   * @param address inside the run
   */
  static Extent of(Run run, ClientFile file, long address) {
    if (file != null) {
      return new Extent(
          run.iova(), run.size() * run.count(), run.readable(), run.writable(), file, run.offset());
    }
    long begin = address - Long.remainderUnsigned(address - run.iova(), run.size());
    return new Extent(begin, run.size(), run.readable(), run.writable(), null, 0);
  }

  /** The first address, unsigned. */
  long iova() {
    return iova;
  }

  /** The last address, unsigned. */
  long last() {
    return iova + size - 1;
  }

  boolean covers(long address) {
    return Long.compareUnsigned(address - iova, size) < 0;
  }

  /**
   * Bytes from {@code address}, which must be inside, to the end, or the most that a long can be.
   */
  long remaining(long address) {
    long left = size - (address - iova);
    return left < 0 ? Long.MAX_VALUE : left;
  }

  boolean permits(Access access) {
    return access == Access.READ ? readable : writable;
  }

  /** Whether a file was sent with it, so that no message is needed to reach it. */
  boolean direct() {
    return file != null;
  }

  /** Whether it is mapped into this process, so that others like it are copied to and from it. */
  boolean mapped() {
    return memory != null || file instanceof ClientFile.Guarded;
  }

  /** The file behind it, or null if it can be reached by messages only. */
  ClientFile file() {
    return file;
  }

  /** All bytes of the file behind it, or null if they cannot simply be touched. */
  MemorySegment memory() {
    return memory;
  }

  /** Where the byte at an address, which must be inside, is in the file. */
  long fileOffset(long address) {
    return offset + (address - iova);
  }
}
