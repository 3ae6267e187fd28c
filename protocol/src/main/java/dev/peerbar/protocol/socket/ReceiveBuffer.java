package dev.peerbar.protocol.socket;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;

/**
 * Where a {@link Receiver} receives to: one buffer over and over, unless somebody keeps what came
 * in it. As large as what comes. For one thread.
 */
final class ReceiveBuffer {
  /** Most messages are shorter. */
  static final int LEAST = 4096;

  /** More than a socket buffer has by default. */
  static final int MOST = 256 * 1024;

  /** How many receives in a row have had room to spare before it becomes smaller. */
  private static final int PATIENCE = 256;

  private final ByteBufAllocator allocator;
  private int size = LEAST;
  private int roomy;
  private ByteBuf buffer;

  ReceiveBuffer(ByteBufAllocator allocator) {
    this.allocator = allocator;
  }

  /** An empty buffer, which stays this object's: retain it to give it away. */
  ByteBuf take() {
    if (buffer != null && (buffer.refCnt() > 1 || buffer.capacity() != size)) {
      release();
    }
    if (buffer == null) {
      buffer = allocator.directBuffer(size, size);
    }
    return buffer.clear();
  }

  /** Learns from how much came. */
  void received(int bytes) {
    if (bytes == size) {
      size = MOST;
      roomy = 0;
    } else if (bytes > LEAST) {
      roomy = 0;
    } else if (size > LEAST && ++roomy == PATIENCE) {
      size = LEAST;
    }
  }

  /** Lets go of the memory until the next {@link #take}. */
  void release() {
    if (buffer != null) {
      buffer.release();
      buffer = null;
    }
  }
}
