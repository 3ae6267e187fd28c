package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** REGION_WRITE: a write of a device region. */
public final class RegionWrite {
  static final int OFFSET = 0;
  static final int REGION = 8;
  static final int COUNT = 12;

  /** Where the data of a request begins; the length of the reply, in bytes. */
  public static final int DATA = 16;

  private RegionWrite() {}

  /**
   * The request.
   *
   * @param offset in the region, in bytes
   * @param region the region, {@link PciRegion} for a PCI device
   * @param data what to write; decoded, lives as long as the payload
   */
  public record Request(long offset, int region, ByteBuf data) implements Payload {

    /** The reply to this request when all was written. */
    public Reply reply() {
      return new Reply(offset, region, data.readableBytes());
    }

    @Override
    public int encodedSize() {
      return DATA + data.readableBytes();
    }

    @Override
    public void encode(ByteBuf out) {
      encodeFixed(out, offset, region, data.readableBytes());
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
      Fields.tail(in, DATA, in.getUnsignedIntLE(start + COUNT));
      return new Request(
          in.getLongLE(start + OFFSET), in.getIntLE(start + REGION), Fields.tail(in, DATA));
    }
  }

  /**
   * The reply.
   *
   * @param offset in the region, in bytes
   * @param region the region
   * @param count how many bytes were written
   */
  public record Reply(long offset, int region, int count) implements Payload {
    /** Appends a reply without making it. */
    public static void encodeFixed(ByteBuf out, long offset, int region, int count) {
      RegionWrite.encodeFixed(out, offset, region, count);
    }

    @Override
    public int encodedSize() {
      return DATA;
    }

    @Override
    public void encode(ByteBuf out) {
      encodeFixed(out, offset, region, count);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short
     */
    public static Reply decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, DATA);
      return at(in, in.readerIndex());
    }

    /**
     * Reads the payload where it is in a buffer that has all of it. So begins the request, too:
     * with what the reply is when all was written.
     *
     * @param start of the payload
     */
    public static Reply at(ByteBuf in, int start) {
      return new Reply(
          in.getLongLE(start + OFFSET), in.getIntLE(start + REGION), in.getIntLE(start + COUNT));
    }
  }

  private static void encodeFixed(ByteBuf out, long offset, int region, int count) {
    out.writeLongLE(offset);
    out.writeIntLE(region);
    out.writeIntLE(count);
  }
}
