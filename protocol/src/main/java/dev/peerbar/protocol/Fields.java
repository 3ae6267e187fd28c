package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** Checks that decoders share. */
final class Fields {
  private Fields() {}

  /**
   * The payload has its table, or the fixed part of it. More may follow, as in an argument of
   * Linux's ioctls: a client may send all the room that it has for the reply (SPDK's initiator and
   * the reference library's sample do), and a later version may have a longer table. Nobody looks
   * at it, but where the table says itself that data follow: {@link #tail(ByteBuf, int, long)}.
   */
  static void atLeast(ByteBuf in, int size) throws InvalidMessageException {
    if (in.readableBytes() < size) {
      throw new InvalidMessageException(
          "payload of " + in.readableBytes() + " bytes, too short for " + size);
    }
  }

  /**
   * What follows the fixed part is exactly as long as the message says.
   *
   * @param length as the message says, unsigned
   */
  static void tail(ByteBuf in, int fixed, long length) throws InvalidMessageException {
    long tail = in.readableBytes() - fixed;
    if (tail != length) {
      throw new InvalidMessageException(
          "data of " + tail + " bytes announced as " + Long.toUnsignedString(length));
    }
  }

  /** What follows the fixed part. Lives as long as the payload. */
  static ByteBuf tail(ByteBuf in, int fixed) {
    return in.slice(in.readerIndex() + fixed, in.readableBytes() - fixed);
  }

  /** Appends data without moving its reader index. */
  static void append(ByteBuf out, ByteBuf data) {
    out.writeBytes(data, data.readerIndex(), data.readableBytes());
  }
}
