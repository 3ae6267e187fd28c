package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** DMA_UNMAP: memory of the client that the device may access no more. */
public final class DmaUnmap {

  private DmaUnmap() {}

  /**
   * The request.
   *
   * @param argsz the most bytes that the reply may have
   * @param flags no flag is defined
   * @param address the first IOVA
   * @param size in bytes
   */
  public record Request(int argsz, int flags, long address, long size) implements Payload {
    static final int ARGSZ = 0;
    static final int FLAGS = 4;
    static final int ADDRESS = 8;
    static final int SIZE = 16;
    static final int LENGTH = 24;

    /** A request with the right {@code argsz}. */
    public Request(long address, long size) {
      this(LENGTH, 0, address, size);
    }

    /** The reply, which repeats the request. */
    public Reply reply() {
      return new Reply(argsz, flags, address, size);
    }

    @Override
    public int encodedSize() {
      return LENGTH;
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeIntLE(argsz);
      out.writeIntLE(flags);
      out.writeLongLE(address);
      out.writeLongLE(size);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short
     */
    public static Request decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, LENGTH);
      int start = in.readerIndex();
      return new Request(
          in.getIntLE(start + ARGSZ),
          in.getIntLE(start + FLAGS),
          in.getLongLE(start + ADDRESS),
          in.getLongLE(start + SIZE));
    }
  }

  /**
   * The reply: the request again.
   *
   * @param argsz the most bytes that the reply may have
   * @param flags no flag is defined
   * @param address the first IOVA
   * @param size in bytes
   */
  public record Reply(int argsz, int flags, long address, long size) implements Payload {
    @Override
    public int encodedSize() {
      return Request.LENGTH;
    }

    @Override
    public void encode(ByteBuf out) {
      new Request(argsz, flags, address, size).encode(out);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short
     */
    public static Reply decode(ByteBuf in) throws InvalidMessageException {
      Request same = Request.decode(in);
      return new Reply(same.argsz, same.flags, same.address, same.size);
    }
  }
}
