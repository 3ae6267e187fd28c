package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** MIG_DATA_READ: the next piece of the device's state. */
public final class MigDataRead {
  static final int ARGSZ = 0;
  static final int SIZE = 4;

  /** Where the data of a reply begins; the length of the request, in bytes. */
  public static final int DATA = 8;

  private MigDataRead() {}

  /**
   * The request.
   *
   * @param argsz the most bytes that the reply may have
   * @param size how many bytes of state at most, unsigned
   */
  public record Request(int argsz, int size) implements Payload {
    @Override
    public int encodedSize() {
      return DATA;
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeIntLE(argsz);
      out.writeIntLE(size);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short
     */
    public static Request decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, DATA);
      int start = in.readerIndex();
      return new Request(in.getIntLE(start + ARGSZ), in.getIntLE(start + SIZE));
    }
  }

  /**
   * The reply.
   *
   * @param argsz the length of this structure with the data
   * @param data less than was asked for if there is no more; decoded, lives as long as the payload
   */
  public record Reply(int argsz, ByteBuf data) implements Payload {

    /** A reply with the right {@code argsz}. */
    public Reply(ByteBuf data) {
      this(DATA + data.readableBytes(), data);
    }

    /**
     * Writes what comes before the data at the beginning of a buffer, for a server that reads the
     * data right behind it. Moves no index.
     *
     * @param length of the data, in bytes
     */
    public static void encodeFixed(ByteBuf out, int length) {
      out.setIntLE(ARGSZ, DATA + length);
      out.setIntLE(SIZE, length);
    }

    @Override
    public int encodedSize() {
      return DATA + data.readableBytes();
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeIntLE(argsz);
      out.writeIntLE(data.readableBytes());
      Fields.append(out, data);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if the data are not as long as announced
     */
    public static Reply decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, DATA);
      int start = in.readerIndex();
      Fields.tail(in, DATA, in.getUnsignedIntLE(start + SIZE));
      return new Reply(in.getIntLE(start + ARGSZ), Fields.tail(in, DATA));
    }
  }
}
