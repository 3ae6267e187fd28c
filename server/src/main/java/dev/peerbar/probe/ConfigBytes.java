package dev.peerbar.probe;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;

/** Config space as it was read, little-endian. Immutable. */
final class ConfigBytes {
  private final ByteBuffer bytes;

  ConfigBytes(byte[] bytes) {
    this.bytes = ByteBuffer.wrap(bytes.clone()).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** In bytes. */
  int length() {
    return bytes.capacity();
  }

  /** Whether so many bytes are there from an offset on. */
  boolean has(int offset, int count) {
    return offset + count <= length();
  }

  /** 8 bits unsigned. */
  int byteAt(int offset) {
    return Byte.toUnsignedInt(bytes.get(offset));
  }

  /** 16 bits unsigned. */
  int wordAt(int offset) {
    return Short.toUnsignedInt(bytes.getShort(offset));
  }

  /** 32 bits. */
  int longAt(int offset) {
    return bytes.getInt(offset);
  }

  /** The first bytes, or all if there are fewer, as hex digits. */
  String hex(int limit) {
    return HexFormat.of().formatHex(bytes.array(), 0, Math.min(limit, length()));
  }
}
