package dev.peerbar.server.dma;

import dev.peerbar.endpoint.DmaFaultException.Access;
import java.lang.foreign.MemorySegment;

/**
 * A range of IOVAs that an engine reaches in one go: a mapping, or several that follow each other
 * by address and in one file, and may be used alike. With a vIOMMU a client maps each page by
 * itself, and most of them as they lie in its memory.
 *
 * <p>Never changed but for its {@link #next} and {@link #stale}, which the function's thread
 * changes while it holds the {@link Gate}. To be looked at inside the gate, or on the function's
 * thread.
 */
final class Extent {
  private final long iova;
  private final long size;
  private final boolean readable;
  private final boolean writable;
  // Null if it can be reached by messages only.
  private final ClientFile file;
  private final long offset;
  // All bytes of the file, or null if they cannot simply be mapped.
  private final MemorySegment memory;

  private Extent next;
  private boolean stale;

  private Extent(
      long iova, long size, boolean readable, boolean writable, ClientFile file, long offset) {
    this.iova = iova;
    this.size = size;
    this.readable = readable;
    this.writable = writable;
    this.file = file;
    this.offset = offset;
    this.memory = file == null ? null : file.memory();
  }

  static Extent of(DmaMapping mapping) {
    return new Extent(
        mapping.iova(),
        mapping.size(),
        mapping.readable(),
        mapping.writable(),
        mapping.file().map(ClientFiles.Reference::file).orElse(null),
        mapping.offset());
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

  /** Whether it is mapped into this process, so that it is reached inside the {@link Gate}. */
  boolean mapped() {
    return memory != null || file instanceof ClientFile.Guarded;
  }

  /** The file behind it, or null if it can be reached by messages only. */
  ClientFile file() {
    return file;
  }

  /** All bytes of the file behind it, or null if they cannot simply be mapped. */
  MemorySegment memory() {
    return memory;
  }

  /** Where the byte at an address, which must be inside, is in the file. */
  long fileOffset(long address) {
    return offset + (address - iova);
  }

  /** Whether the two are one: this one goes on where the other begins, in memory too. */
  boolean continuesIn(Extent after) {
    return file != null
        && file == after.file
        && last() + 1 == after.iova
        && fileOffset(last()) + 1 == after.offset
        && readable == after.readable
        && writable == after.writable;
  }

  /** Both as one, if this {@link #continuesIn} the other. */
  Extent join(Extent after) {
    return new Extent(iova, size + after.size, readable, writable, file, offset);
  }

  /**
   * A part of it.
   *
   * @param from the first address of the part
   * @param to the last one; both inside
   */
  Extent part(long from, long to) {
    return new Extent(from, to - from + 1, readable, writable, file, fileOffset(from));
  }

  /** The one that begins right after this one; stale or null if none does. */
  Extent next() {
    return next;
  }

  void next(Extent after) {
    next = after;
  }

  /** Whether it is in the table no more. */
  boolean stale() {
    return stale;
  }

  void leaveTable() {
    stale = true;
    next = null;
  }
}
