package dev.peerbar.server.dma;

/**
 * Mappings of one size that follow each other, by address and in the file behind them if there is
 * one, and may be used alike. With a vIOMMU a client maps each page by itself, and most of them as
 * they lie in its memory.
 *
 * @param iova first address, unsigned
 * @param size of each mapping in bytes, unsigned, at least 1
 * @param count how many, at least 1; the last address does not wrap
 * @param offset of the first byte in the file; 0 if there is none
 * @param file which of the {@link ClientFiles}; {@link #NO_FILE} if messages only reach it
 */
record Run(
    long iova, long size, int count, long offset, int file, boolean readable, boolean writable) {
  /** In place of a file's number. */
  static final int NO_FILE = 0;

  private static final int FILE_SHIFT = 2;
  private static final int WRITABLE = 1 << 1;
  private static final int READABLE = 1;

  /** A run by its {@link #kind}. */
  Run(long iova, long size, int count, long offset, int kind) {
    this(iova, size, count, offset, fileOf(kind), (kind & READABLE) != 0, (kind & WRITABLE) != 0);
  }

  static int fileOf(int kind) {
    return kind >>> FILE_SHIFT;
  }

  /** The file and what is permitted, as a number: what runs that are one have in common. */
  int kind() {
    return file << FILE_SHIFT | (writable ? WRITABLE : 0) | (readable ? READABLE : 0);
  }

  /** The last address, unsigned. */
  long last() {
    return iova + size * count - 1;
  }

  /** Whether an address is inside. All of the address space has no length, so none is computed. */
  boolean covers(long address) {
    return Long.compareUnsigned(address - iova, last() - iova) <= 0;
  }

  /** Whether a mapping begins at an address, which must be inside or right behind. */
  boolean begins(long address) {
    return Long.remainderUnsigned(address - iova, size) == 0;
  }

  /** Whether the two are one. */
  boolean continuesIn(Run after) {
    return last() + 1 == after.iova
        && after.iova != 0
        && size == after.size
        && file == after.file
        && readable == after.readable
        && writable == after.writable
        && (file == NO_FILE || offset + size * count == after.offset);
  }

  /** Both as one, if this {@link #continuesIn} the other. */
  Run join(Run after) {
    return new Run(iova, size, count + after.count, offset, file, readable, writable);
  }

  /** The mappings before an address at which one {@link #begins}, which is not the first. */
  Run before(long address) {
    return new Run(iova, size, indexOf(address), offset, file, readable, writable);
  }

  /** The mappings from an address inside at which one {@link #begins}. */
  Run from(long address) {
    int before = indexOf(address);
    long there = file == NO_FILE ? 0 : offset + (address - iova);
    return new Run(address, size, count - before, there, file, readable, writable);
  }

  private int indexOf(long address) {
    return (int) Long.divideUnsigned(address - iova, size);
  }
}
