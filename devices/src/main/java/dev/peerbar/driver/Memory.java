package dev.peerbar.driver;

import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Bytes that a driver's processor loads and stores: RAM, or a BAR. For one thread at a time.
 * Offsets and lengths are in bytes; values are little-endian.
 *
 * <p>A load sees what others stored before what it sees (acquire), a store is seen after all that
 * was stored before it (release).
 *
 * <p>Every method throws {@link IOException} if the access could not be made: it faulted, or the
 * other end has gone.
 */
public interface Memory {

  long length();

  /**
   * One load.
   *
   * @param offset naturally aligned
   * @return zero-extended
   */
  long load(long offset, AccessWidth width) throws IOException;

  /**
   * One store.
   *
   * @param offset naturally aligned
   * @param value of which as many bytes count as the access is wide
   */
  void store(long offset, AccessWidth width, long value) throws IOException;

  /** Copies bytes out, by accesses of any width, none of them before what was loaded before. */
  byte[] read(long offset, int length) throws IOException;

  /** Copies bytes in, by accesses of any width. */
  void write(long offset, byte[] bytes) throws IOException;

  /** Sets every byte of a range. */
  void fill(long offset, long length, byte value) throws IOException;

  /** Copies bytes out, by accesses of any width, as many as there is room for. */
  default void read(long offset, MemorySegment into) throws IOException {
    into.copyFrom(MemorySegment.ofArray(read(offset, Math.toIntExact(into.byteSize()))));
  }

  /** Copies bytes in, by accesses of any width. */
  default void write(long offset, MemorySegment bytes) throws IOException {
    write(offset, bytes.toArray(ValueLayout.JAVA_BYTE));
  }

  /** Loads 4 bytes. */
  default int loadInt(long offset) throws IOException {
    return (int) load(offset, AccessWidth.DWORD);
  }

  /** Loads 8 bytes. */
  default long loadLong(long offset) throws IOException {
    return load(offset, AccessWidth.QWORD);
  }

  /** Stores 4 bytes. */
  default void storeInt(long offset, int value) throws IOException {
    store(offset, AccessWidth.DWORD, value);
  }

  /** Stores 8 bytes. */
  default void storeLong(long offset, long value) throws IOException {
    store(offset, AccessWidth.QWORD, value);
  }
}
