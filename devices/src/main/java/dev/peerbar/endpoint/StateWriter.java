package dev.peerbar.endpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/** The fields of a saved state, one after another, little-endian. For one thread. */
public final class StateWriter {
  private static final int FIRST_ROOM = 256;

  private byte[] bytes = new byte[FIRST_ROOM];
  private int length;

  /** Appends 4 bytes: a register of that width, or a number from 0 to 2^32 - 1. */
  public StateWriter putInt(long value) {
    room(Integer.BYTES).putInt((int) value);
    return this;
  }

  /** Appends 8 bytes. */
  public StateWriter putLong(long value) {
    room(Long.BYTES).putLong(value);
    return this;
  }

  /** Appends 4 bytes, 1 for true and 0 for false. */
  public StateWriter putFlag(boolean value) {
    return putInt(value ? 1 : 0);
  }

  private ByteBuffer room(int count) {
    if (bytes.length - length < count) {
      bytes = Arrays.copyOf(bytes, 2 * bytes.length);
    }
    ByteBuffer room = ByteBuffer.wrap(bytes, length, count).order(ByteOrder.LITTLE_ENDIAN);
    length += count;
    return room;
  }

  /** A copy of all that was put. */
  public byte[] toBytes() {
    return Arrays.copyOf(bytes, length);
  }
}
