package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** DMA_MAP: memory of the client that the device may access from now on. */
public final class DmaMap {
  /** The device may read the memory. */
  public static final int READABLE = 1;

  /** The device may write the memory. */
  public static final int WRITEABLE = 1 << 1;

  private DmaMap() {}

  /**
   * The request. The reply has no payload.
   *
   * @param argsz the length of this structure
   * @param flags {@link #READABLE}, {@link #WRITEABLE}
   * @param offset where the memory begins in the file whose descriptor comes along, if one does
   * @param address the first IOVA
   * @param size in bytes
   */
  public record Request(int argsz, int flags, long offset, long address, long size)
      implements Payload {
    static final int ARGSZ = 0;
    static final int FLAGS = 4;
    static final int OFFSET = 8;
    static final int ADDRESS = 16;
    static final int SIZE = 24;
    static final int LENGTH = 32;

    /** A request with the right {@code argsz}. */
    public Request(int flags, long offset, long address, long size) {
      this(LENGTH, flags, offset, address, size);
    }

    @Override
    public int encodedSize() {
      return LENGTH;
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeIntLE(argsz);
      out.writeIntLE(flags);
      out.writeLongLE(offset);
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
          in.getLongLE(start + OFFSET),
          in.getLongLE(start + ADDRESS),
          in.getLongLE(start + SIZE));
    }
  }
}
