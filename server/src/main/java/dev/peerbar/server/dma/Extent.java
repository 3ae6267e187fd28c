package dev.peerbar.server.dma;

import dev.peerbar.endpoint.DmaFaultException.Access;
import java.lang.foreign.MemorySegment;

/**
 * A range of IOVAs that an engine reaches in one go: a {@link Run} of mappings in one file, or else
 * one mapping.
 *
 * <p>Valid until the {@link DmaTable} changes, or the {@link Cursor} that it belongs to goes on. To
 * be read inside the {@link Gate}, or on the function's thread.
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
  // All bytes of the file, or null if they cannot simply be touched.
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
      memory = behind == null ? null : behind.memory();
    }
    if (file != null) {
      iova = run.iova();
      size = run.size() * run.count();
    } else {
      iova = address - Long.remainderUnsigned(address - run.iova(), run.size());
      size = run.size();
    }
    offset = run.offset() + (iova - run.iova());
  }

  /** Becomes another run's extent, if there is a file and the other is of the same kind. */
  boolean goOn(long otherIova, long otherSize, long otherOffset, int otherKind) {
    if (file == null || kind != otherKind) {
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
}
