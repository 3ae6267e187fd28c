package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/** What follows the header of a message. */
public interface Payload {

  /** The length in bytes. */
  int encodedSize();

  /**
   * Appends the payload, {@link #encodedSize} bytes of it. Does not change the reader index of a
   * buffer that it holds, nor release it.
   */
  void encode(ByteBuf out);
}
