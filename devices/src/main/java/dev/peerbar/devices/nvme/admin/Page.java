package dev.peerbar.devices.nvme.admin;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** A data structure for the host, little-endian, zero where nothing is put. */
final class Page {
  private final ByteBuffer bytes;

  /**
   * @param length in bytes
   */
  Page(int length) {
    bytes = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
  }

  Page put8(int offset, int value) {
    bytes.put(offset, (byte) value);
    return this;
  }

  Page put16(int offset, int value) {
    bytes.putShort(offset, (short) value);
    return this;
  }

  Page put32(int offset, long value) {
    bytes.putInt(offset, (int) value);
    return this;
  }

  Page put64(int offset, long value) {
    bytes.putLong(offset, value);
    return this;
  }

  Page put(int offset, byte[] value) {
    bytes.put(offset, value);
    return this;
  }

  /** An ASCII string, cut to its field or padded with spaces (NVMe 1.4 1.5). */
  Page text(int offset, int length, String value) {
    byte[] ascii = value.getBytes(StandardCharsets.US_ASCII);
    for (int i = 0; i < length; i++) {
      bytes.put(offset + i, i < ascii.length ? ascii[i] : (byte) ' ');
    }
    return this;
  }

  /** Not copied: the page is done. */
  byte[] bytes() {
    return bytes.array();
  }
}
