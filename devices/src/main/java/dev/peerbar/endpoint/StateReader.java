package dev.peerbar.endpoint;

import dev.peerbar.pci.InvalidStateException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Reads what a {@link StateWriter} wrote, or bytes that somebody made up. For one thread. */
public final class StateReader {
  private final ByteBuffer bytes;

  /**
   * @param bytes not copied
   */
  public StateReader(byte[] bytes) {
    this.bytes = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * The next 4 bytes, as a number from 0 to 2^32 - 1.
   *
   * @throws InvalidStateException if the state ends before
   */
  public long getInt() throws InvalidStateException {
    need(Integer.BYTES);
    return Integer.toUnsignedLong(bytes.getInt());
  }

  /**
   * The next 4 bytes, as a number of which only so many are possible.
   *
   * @param name of the field, to say which is wrong
   * @param most the largest possible number
   * @throws InvalidStateException if it is larger, or the state ends before
   */
  public int getInt(String name, int most) throws InvalidStateException {
    long value = getInt();
    if (value > most) {
      throw new InvalidStateException("%s is %d, at most %d".formatted(name, value, most));
    }
    return (int) value;
  }

  /**
   * The next 8 bytes.
   *
   * @throws InvalidStateException if the state ends before
   */
  public long getLong() throws InvalidStateException {
    need(Long.BYTES);
    return bytes.getLong();
  }

  /**
   * The next 4 bytes, 0 or 1.
   *
   * @param name of the field, to say which is wrong
   * @throws InvalidStateException if it is neither, or the state ends before
   */
  public boolean getFlag(String name) throws InvalidStateException {
    return getInt(name, 1) == 1;
  }

  /**
   * Says that nothing is to follow.
   *
   * @throws InvalidStateException if something does
   */
  public void end() throws InvalidStateException {
    if (bytes.hasRemaining()) {
      throw new InvalidStateException(
          "%d bytes follow the endpoint's last field".formatted(bytes.remaining()));
    }
  }

  private void need(int count) throws InvalidStateException {
    if (bytes.remaining() < count) {
      throw new InvalidStateException("The endpoint's state ends within a field");
    }
  }
}
