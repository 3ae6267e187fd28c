package dev.peerbar.probe;

import dev.peerbar.pci.ConfigLayout.Header;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/** Config space to serve or to decode, built byte by byte. */
final class ConfigImage {
  static final int SIZE = 4096;

  private final ByteBuffer bytes;

  ConfigImage(int size) {
    bytes = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    word(Header.VENDOR_ID, 0x1234);
    word(Header.DEVICE_ID, 0x7032);
    word(Header.SUB_CLASS, 0x1200);
  }

  ConfigImage at(int offset, int value) {
    bytes.put(offset, (byte) value);
    return this;
  }

  ConfigImage word(int offset, int value) {
    bytes.putShort(offset, (short) value);
    return this;
  }

  ConfigImage dword(int offset, int value) {
    bytes.putInt(offset, value);
    return this;
  }

  /** Any bytes over a range. */
  ConfigImage random(Random random, int from, int to) {
    for (int i = from; i < to; i++) {
      at(i, random.nextInt());
    }
    return this;
  }

  /** Where the list of capabilities begins. */
  ConfigImage capabilities(int first) {
    return word(Header.STATUS, bytes.getShort(Header.STATUS) | 1 << 4)
        .at(Header.CAPABILITIES_POINTER, first);
  }

  ConfigImage capability(int offset, int id, int next) {
    return at(offset, id).at(offset + 1, next);
  }

  ConfigImage extended(int offset, int id, int version, int next) {
    return dword(offset, id | version << 16 | next << 20);
  }

  byte[] array() {
    return bytes.array();
  }
}
