package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** DMA_READ: a read of the client's memory, by the server. */
public final class DmaRead {
  static final int ADDRESS = 0;
  static final int COUNT = 8;

  /** Where the data of a reply begins; the length of the request, in bytes. */
  public static final int DATA = 16;

  private DmaRead() {}

  /**
   * The request.
   *
   * @param address the first IOVA
   * @param count how many bytes, unsigned
   */
  public record Request(long address, long count) implements Payload {
    @Override
    public int encodedSize() {
      return DATA;
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeLongLE(address);
      out.writeLongLE(count);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short
     */
    public static Request decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, DATA);
      int start = in.readerIndex();
      return new Request(in.getLongLE(start + ADDRESS), in.getLongLE(start + COUNT));
    }
  }

  /**
   * The reply.
   *
   * @param address the first IOVA
   * @param data what was read; decoded, lives as long as the payload
   */
  public record Reply(long address, ByteBuf data) implements Payload {
    @Override
    public int encodedSize() {
      return DATA + data.readableBytes();
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeLongLE(address);
      out.writeLongLE(data.readableBytes());
      Fields.append(out, data);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if the data are not as long as the count
     */
    public static Reply decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, DATA);
      int start = in.readerIndex();
      Fields.tail(in, DATA, in.getLongLE(start + COUNT));
      return new Reply(in.getLongLE(start + ADDRESS), Fields.tail(in, DATA));
    }
  }
}
