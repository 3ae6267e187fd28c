package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Byte buffers in the kernel's byte order, zeroed as the kernel wants reserved fields to be. */
final class Structs {
  private Structs() {}

  static ByteBuffer allocate(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  static ByteBuffer wrap(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
