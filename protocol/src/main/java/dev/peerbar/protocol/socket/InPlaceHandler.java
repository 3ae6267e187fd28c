package dev.peerbar.protocol.socket;

import io.netty.buffer.ByteBuf;

/**
 * Answers a message in the buffer that it was received in, into a buffer that is used again and
 * again: what is asked millions of times costs no object. On the event loop.
 */
@FunctionalInterface
public interface InPlaceHandler {
  /** The most bytes of a reply, with its header. */
  int MOST_REPLY = 64;

  /**
   * Handles a message without descriptors if it is one of those that this is for and nothing is
   * wrong with it. Whatever else comes is for the pipeline.
   *
   * @param message from the reader index on, which need not be moved; not to be kept
   * @param size of the message, with its header, in bytes: all of them are there
   * @param reply empty; gets the reply, if there is to be one, of {@link #MOST_REPLY} at most
   * @return false if the message is not for this, and nothing was done
   */
  boolean handle(ByteBuf message, int size, ByteBuf reply);
}
