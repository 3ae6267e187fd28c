package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** DMA_WRITE: a write of the client's memory, by the server. */
public final class DmaWrite {
  static final int ADDRESS = 0;
  static final int COUNT = 8;

  /** Where the data of a request begins. */
  public static final int DATA = 16;

  private DmaWrite() {}

  /**
   * The request.
   *
   * @param address the first IOVA
   * @param data what to write; decoded, lives as long as the payload
   */
  public record Request(long address, ByteBuf data) implements Payload {

    /**
     * Appends what comes before the data, for a server that copies device memory right into the
     * payload.
     *
     * @param count how many bytes of data the caller appends
     */
    public static void encodeFixed(ByteBuf out, long address, long count) {
      out.writeLongLE(address);
      out.writeLongLE(count);
    }

    @Override
    public int encodedSize() {
      return DATA + data.readableBytes();
    }

    @Override
    public void encode(ByteBuf out) {
      encodeFixed(out, address, data.readableBytes());
      Fields.append(out, data);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if the data are not as long as the count
     */
    public static Request decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, DATA);
      int start = in.readerIndex();
      Fields.tail(in, DATA, in.getLongLE(start + COUNT));
      return new Request(in.getLongLE(start + ADDRESS), Fields.tail(in, DATA));
    }
  }

  /** The reply. */
  public sealed interface Reply extends Payload {

    /**
     * Reads the payload. The specification gives the count 4 bytes in the reply; QEMU 11.1 sends 8,
     * as in the request, and its first versions sent a header only. All three are taken, and told
     * apart by their lengths.
     *
     * @throws InvalidMessageException if the length is none of these, or the count needs more than
     *     4 bytes
     */
    static Reply decode(ByteBuf in) throws InvalidMessageException {
      int start = in.readerIndex();
      return switch (in.readableBytes()) {
        case 0 -> new Acknowledged();
        case Written.LENGTH ->
            new Written(in.getLongLE(start + ADDRESS), in.getUnsignedIntLE(start + COUNT));
        case Written.WIDE_LENGTH -> {
          long count = in.getLongLE(start + COUNT);
          if (count >>> Integer.SIZE != 0) {
            throw new InvalidMessageException("count " + Long.toUnsignedString(count));
          }
          yield new Written(in.getLongLE(start + ADDRESS), count);
        }
        default -> throw new InvalidMessageException("payload of " + in.readableBytes() + " bytes");
      };
    }
  }

  /** All was written: a reply without a payload. */
  public record Acknowledged() implements Reply {
    @Override
    public int encodedSize() {
      return 0;
    }

    @Override
    public void encode(ByteBuf out) {}
  }

  /**
   * The reply as the specification has it.
   *
   * @param address the first IOVA
   * @param count how many bytes were written, encoded in 32 bits
   */
  public record Written(long address, long count) implements Reply {
    static final int LENGTH = 12;
    static final int WIDE_LENGTH = 16;

    @Override
    public int encodedSize() {
      return LENGTH;
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeLongLE(address);
      out.writeIntLE((int) count);
    }
  }
}
