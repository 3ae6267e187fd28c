package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** VERSION: the first message, which agrees on the protocol and what both sides can do. */
public final class Version {
  /** The major version that this package speaks. */
  public static final int MAJOR = 0;

  /** The highest minor version that this package speaks. */
  public static final int MINOR = 1;

  static final int MAJOR_OFFSET = 0;
  static final int MINOR_OFFSET = 2;
  static final int DATA = 4;

  private Version() {}

  /**
   * What the client proposes.
   *
   * @param major 16 bits unsigned
   * @param minor 16 bits unsigned, the highest that the client speaks
   * @param capabilities what it can do
   */
  public record Request(int major, int minor, Capabilities capabilities) implements Payload {
    @Override
    public int encodedSize() {
      return DATA + capabilities.encodedSize();
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeShortLE(major);
      out.writeShortLE(minor);
      capabilities.encode(out);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short, or the capabilities are no JSON of theirs
     */
    public static Request decode(ByteBuf in) throws InvalidMessageException {
      Fields.atLeast(in, DATA);
      int start = in.readerIndex();
      return new Request(
          in.getUnsignedShortLE(start + MAJOR_OFFSET),
          in.getUnsignedShortLE(start + MINOR_OFFSET),
          Capabilities.decode(Fields.tail(in, DATA)));
    }
  }

  /**
   * What the server agrees to.
   *
   * @param major that of the request
   * @param minor that of the request or less
   * @param capabilities of those proposed, what it can do too
   */
  public record Reply(int major, int minor, Capabilities capabilities) implements Payload {
    @Override
    public int encodedSize() {
      return DATA + capabilities.encodedSize();
    }

    @Override
    public void encode(ByteBuf out) {
      new Request(major, minor, capabilities).encode(out);
    }

    /**
     * Reads the payload.
     *
     * @throws InvalidMessageException if it is too short, or the capabilities are no JSON of theirs
     */
    public static Reply decode(ByteBuf in) throws InvalidMessageException {
      Request same = Request.decode(in);
      return new Reply(same.major, same.minor, same.capabilities);
    }
  }
}
