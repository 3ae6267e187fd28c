package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** REGION_READ: a read of a device region. */
public final class RegionRead {
  static final int OFFSET = 0;
  static final int REGION = 8;
  static final int COUNT = 12;

  /** Where the data of a reply begins; the length of the request, in bytes. */
  public static final int DATA = 16;

  private RegionRead() {}

  /**
   * The request.
   *
   * @param offset in the region, in bytes
   * @param region the region, {@link PciRegion} for a PCI device
   * @param count how many bytes, unsigned
   */
  public record Request(long offset, int region, int count) implements Payload {
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
    public static Request decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, DATA);
      return at(in, in.readerIndex());
    }

    /**
     * Reads the payload where it is in a buffer that has all of it.
     *
     * @param start of the payload
     */
    public static Request at(ByteBuf in, int start) {
      return new Request(
          in.getLongLE(start + OFFSET), in.getIntLE(start + REGION), in.getIntLE(start + COUNT));
    }
  }

  /**
   * The reply.
   *
   * @param offset in the region, in bytes
   * @param region the region
   * @param data what was read; decoded, lives as long as the payload
   */
  public record Reply(long offset, int region, ByteBuf data) implements Payload {

    /**
     * Appends what comes before the data, for a server that reads the region right into the
     * payload.
     *
     * @param count how many bytes of data the caller appends
     */
    public static void encodeFixed(ByteBuf out, long offset, int region, int count) {
      RegionRead.encodeFixed(out, offset, region, count);
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
    public static Reply decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, DATA);
      int start = in.readerIndex();
      Fields.tail(in, DATA, in.getUnsignedIntLE(start + COUNT));
      return new Reply(
          in.getLongLE(start + OFFSET), in.getIntLE(start + REGION), Fields.tail(in, DATA));
    }
  }

  private static void encodeFixed(ByteBuf out, long offset, int region, int count) {
    out.writeLongLE(offset);
    out.writeIntLE(region);
    out.writeIntLE(count);
  }
}
