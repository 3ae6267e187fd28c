package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;

/** REGION_WRITE_MULTI: several small writes of device regions. */
public final class RegionWriteMulti {
  static final int WR_CNT = 0;
  static final int WRS = 8;

  private RegionWriteMulti() {}

  /**
   * One of the writes.
   *
   * @param offset in the region, in bytes
   * @param region the region
   * @param count how many bytes, 0 to 8
   * @param data the bytes, the first in the lowest bits
   */
  public record Write(long offset, int region, int count, long data) {
    static final int OFFSET = 0;
    static final int REGION = 8;
    static final int COUNT = 12;
    static final int DATA = 16;
    static final int LENGTH = 24;

    private static Write decode(ByteBuf in, int at) throws InvalidMessageException {
      int count = in.getIntLE(at + COUNT);
      if (count < 0 || count > Long.BYTES) {
        throw new InvalidMessageException("one write of " + Integer.toUnsignedString(count));
      }
      return new Write(
          in.getLongLE(at + OFFSET), in.getIntLE(at + REGION), count, in.getLongLE(at + DATA));
    }

    private void encode(ByteBuf out) {
      out.writeLongLE(offset);
      out.writeIntLE(region);
      out.writeIntLE(count);
      out.writeLongLE(data);
    }
  }

  /** The request: the writes in order. */
  public record Request(List<Write> writes) implements Payload {
    public Request {
      writes = List.copyOf(writes);
    }

    @Override
    public int encodedSize() {
      return WRS + writes.size() * Write.LENGTH;
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeLongLE(writes.size());
      for (Write write : writes) {
        write.encode(out);
      }
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if there are not as many writes as announced, or one has more
     *     than 8 bytes
     */
    public static Request decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, WRS);
      long count = in.getLongLE(in.readerIndex() + WR_CNT);
      if (count < 0 || count > in.readableBytes() / Write.LENGTH) {
        throw new InvalidMessageException(Long.toUnsignedString(count) + " writes announced");
      }
      Fields.tail(in, WRS, count * Write.LENGTH);
      List<Write> writes = new ArrayList<>((int) count);
      for (int i = 0; i < count; i++) {
        writes.add(Write.decode(in, in.readerIndex() + WRS + i * Write.LENGTH));
      }
      return new Request(writes);
    }
  }

  /**
   * The reply.
   *
   * @param count how many of the writes were done
   */
  public record Reply(long count) implements Payload {
    @Override
    public int encodedSize() {
      return WRS;
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeLongLE(count);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short
     */
    public static Reply decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, WRS);
      return new Reply(in.getLongLE(in.readerIndex() + WR_CNT));
    }
  }
}
