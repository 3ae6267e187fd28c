package dev.peerbar.server.dma;

import dev.peerbar.endpoint.DmaFaultException.Access;
import java.lang.foreign.MemorySegment;

/**
 * A range of IOVAs that an engine reaches in one go: a {@link Run} of mappings in one mapped file,
 * or else one mapping.
 *
 * <p>Of use until the {@link DmaTable} changes, or the {@link Cursor} that it belongs to goes on;
 * to be looked at inside the {@link Gate}, or on the function's thread.
 */
final class Extent {
  private long iova;
  private long size;
  private boolean readable;
  private boolean writable;
  // Null if it can be reached by messages only.
  private ClientFile file;
  private long offset;
  // Of the run: which file, and what is permitted.
  private int kind;
  // All bytes of the file, or null if they are not mapped into this process.
  private MemorySegment memory;

  /**
   * Becomes what can be reached of a run.
   *
   * @param behind the file behind it, or null
   * @param address inside the run
   */
  void become(Run run, ClientFile behind, long address) {
    kind = run.kind();
    readable = run.readable();
    writable = run.writable();
    if (file != behind) {
      file = behind;
      memory = behind instanceof ClientFile.Mapped mapped ? mapped.mapping().segment() : null;
    }
    if (memory != null) {
      iova = run.iova();
      size = run.size() * run.count();
    } else {
      iova = address - Long.remainderUnsigned(address - run.iova(), run.size());
      size = run.size();
    }
    offset = run.offset() + (iova - run.iova());
  }

  /** Becomes another run's extent, if it is {@link #mapped} and the other is of the same kind. */
  boolean goOn(long otherIova, long otherSize, long otherOffset, int otherKind) {
    if (memory == null || kind != otherKind) {
      return false;
    }
    iova = otherIova;
    size = otherSize;
    offset = otherOffset;
    return true;
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

  /** Whether its bytes are mapped into this process. */
  boolean mapped() {
    return memory != null;
  }

  /** All bytes of the file behind it, if it is {@link #mapped}. */
  MemorySegment memory() {
    return memory;
  }

  /** Where the byte at an address, which must be inside, is in the file. */
  long fileOffset(long address) {
    return offset + (address - iova);
  }

  /**
   * Reads directly; the range must be inside.
   *
   * @param into all of a segment
   * @param at where in it
   * @return whether all of it could be read
   */
  boolean read(long address, MemorySegment into, long at, long length) {
    return file.read(fileOffset(address), into, at, length);
  }

  /** Writes directly, as {@link #read}. */
  boolean write(long address, MemorySegment from, long at, long length) {
    return file.write(fileOffset(address), from, at, length);
  }
}
