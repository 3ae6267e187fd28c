package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** Checks that decoders share. */
final class Fields {
  private Fields() {}

  /** The payload is exactly as long as its table. */
  static void exactly(ByteBuf in, int size) throws InvalidMessageException {
    if (in.readableBytes() != size) {
      throw new InvalidMessageException(
          "payload of " + in.readableBytes() + " bytes instead of " + size);
    }
  }

  /** The payload has at least the fixed part of its table. */
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
