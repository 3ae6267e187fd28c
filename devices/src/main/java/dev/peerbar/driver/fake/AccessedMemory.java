package dev.peerbar.driver.fake;

import dev.peerbar.driver.Memory;
import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.util.Arrays;

/** Memory that is loaded and stored access by access, bytes too: the widest that fit. */
abstract class AccessedMemory implements Memory {
  private final long length;

  AccessedMemory(long length) {
    this.length = length;
  }

  /** What a store of a width stores of a value. */
  static long zeroExtended(long value, AccessWidth width) {
    return width == AccessWidth.QWORD ? value : value & (1L << width.bytes() * Byte.SIZE) - 1;
  }

  @Override
  public final long length() {
    return length;
  }

  @Override
  public final byte[] read(long offset, int count) throws IOException {
    byte[] bytes = new byte[count];
    for (int done = 0; done < count; ) {
      AccessWidth width = AccessWidth.widestAt(offset + done, count - done);
      long value = load(offset + done, width);
      for (int i = 0; i < width.bytes(); i++) {
        bytes[done + i] = (byte) (value >>> i * Byte.SIZE);
      }
      done += width.bytes();
    }
    return bytes;
  }

  @Override
  public final void write(long offset, byte[] bytes) throws IOException {
    for (int done = 0; done < bytes.length; ) {
      AccessWidth width = AccessWidth.widestAt(offset + done, bytes.length - done);
      long value = 0;
      for (int i = 0; i < width.bytes(); i++) {
        value |= Byte.toUnsignedLong(bytes[done + i]) << i * Byte.SIZE;
      }
      store(offset + done, width, value);
      done += width.bytes();
    }
  }

  @Override
  public final void fill(long offset, long count, byte value) throws IOException {
    byte[] bytes = new byte[Math.toIntExact(count)];
    Arrays.fill(bytes, value);
    write(offset, bytes);
  }
}
