package dev.peerbar.bench.dma;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.server.dma.MessageLimits;

/** Which way bytes go between an HBM endpoint's memory and its client's. */
public enum Direction {
  /** Into the endpoint. */
  READ,
  /** Out of it. */
  WRITE;

  /**
   * A copy of a piece, to the same place on the other side.
   *
   * @param base the IOVA of the client's memory
   */
  Descriptor copy(long base, long offset, int size) {
    Descriptor copy = Descriptor.copy(size);
    return this == READ
        ? copy.from(base + offset).toLocal(offset)
        : copy.fromLocal(offset).to(base + offset);
  }

  /** The most bytes of a message this way. */
  int bytes(MessageLimits limits) {
    return this == READ ? limits.readBytes() : limits.writeBytes();
  }
}
