package dev.peerbar.protocol.socket;

import dev.peerbar.protocol.Descriptors;
import io.netty.buffer.ByteBuf;
import io.netty.util.AbstractReferenceCounted;

/**
 * Bytes of the stream and the file descriptors that came, or are to go, with them.
 *
 * <p>Counted: the last release frees the bytes and closes the descriptors that nobody took.
 */
public final class DescriptorBytes extends AbstractReferenceCounted {
  private final ByteBuf bytes;
  private final Descriptors descriptors;

  /** Takes over both. */
  public DescriptorBytes(ByteBuf bytes, Descriptors descriptors) {
    this.bytes = bytes;
    this.descriptors = descriptors;
  }

  /** The bytes, owned by this. */
  public ByteBuf bytes() {
    return bytes;
  }

  /** The descriptors, owned by this until taken. */
  public Descriptors descriptors() {
    return descriptors;
  }

  @Override
  protected void deallocate() {
    descriptors.close();
    bytes.release();
  }

  @Override
  public DescriptorBytes touch(Object hint) {
    bytes.touch(hint);
    return this;
  }
}
