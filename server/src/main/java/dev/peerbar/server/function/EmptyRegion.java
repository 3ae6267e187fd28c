package dev.peerbar.server.function;

import java.nio.ByteBuffer;

/** A region the function does not have; no access lies inside it. */
record EmptyRegion() implements Region {

  @Override
  public long size() {
    return 0;
  }

  @Override
  public void read(long offset, ByteBuffer into) {}

  @Override
  public void write(long offset, ByteBuffer from) {}
}
