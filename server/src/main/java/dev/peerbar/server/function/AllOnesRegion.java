package dev.peerbar.server.function;

import java.nio.ByteBuffer;
import java.util.Optional;

/** A region whose function does not answer. What can be mapped of it is as ever. */
record AllOnesRegion(Region sound) implements Region {

  @Override
  public long size() {
    return sound.size();
  }

  @Override
  public void read(long offset, ByteBuffer into) {
    while (into.hasRemaining()) {
      into.put((byte) -1);
    }
  }

  @Override
  public void write(long offset, ByteBuffer from) {
    from.position(from.limit());
  }

  @Override
  public Optional<Sharing> sharing() {
    return sound.sharing();
  }
}
