package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** MIG_DATA_WRITE: the next piece of a state that the device takes on. */
public final class MigDataWrite {
  static final int ARGSZ = 0;
  static final int SIZE = 4;

  /** Where the data begins. */
  public static final int DATA = 8;

  private MigDataWrite() {}

  /**
   * The request. The reply has no payload.
   *
   * @param argsz the most bytes that the reply may have
   * @param data the state; decoded, lives as long as the payload
   */
  public record Request(int argsz, ByteBuf data) implements Payload {

    /** A request with the {@code argsz} that clients send: the length of this structure. */
    public Request(ByteBuf data) {
      this(DATA + data.readableBytes(), data);
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
    public static Request decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, DATA);
      int start = in.readerIndex();
      Fields.tail(in, DATA, in.getUnsignedIntLE(start + SIZE));
      return new Request(in.getIntLE(start + ARGSZ), Fields.tail(in, DATA));
    }
  }
}
