package dev.peerbar.protocol;

import io.netty.buffer.ByteBuf;

/**
 * What migration the device can do (VFIO_DEVICE_FEATURE_MIGRATION).
 *
 * @param flags {@link #STOP_COPY}, {@link #P2P}, {@link #PRE_COPY}
 */
public record MigrationFeature(long flags) implements Payload {
  public static final long STOP_COPY = 1;
  public static final long P2P = 1 << 1;
  public static final long PRE_COPY = 1 << 2;

  static final int FLAGS = 0;
  static final int LENGTH = 8;

  @Override
  public int encodedSize() {
    return LENGTH;
  }

  @Override
  public void encode(ByteBuf out) {
    out.writeLongLE(flags);
  }

  /**
   * Reads the data of the feature.
   *
   * @throws InvalidMessageException if it is too short
   */
  public static MigrationFeature decode(ByteBuf in) throws InvalidMessageException {
    Fields.atLeast(in, LENGTH);
    return new MigrationFeature(in.getLongLE(in.readerIndex() + FLAGS));
  }
}
