package dev.peerbar.devices.nvme.admin;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * The Timestamp feature (NVMe 1.4 5.21.1.14), of one generation: milliseconds, which go on by
 * themselves.
 */
final class Timestamp {
  static final int BYTES = 8;

  private static final int ATTRIBUTES = 6;
  private static final long MILLISECONDS_MASK = (1L << 48) - 1;

  /** Timestamp Origin: from the host, rather than zero at the reset. */
  private static final int SET_BY_HOST = 1 << 1;

  private final LongSupplier nanoTime;
  private long milliseconds;
  private long since;
  private int attributes;

  Timestamp(LongSupplier nanoTime) {
    this.nanoTime = nanoTime;
    since = nanoTime.getAsLong();
  }

  /** The data structure of Set Features; its attributes are reserved there. */
  void set(byte[] data) {
    long value = 0;
    for (int i = ATTRIBUTES - 1; i >= 0; i--) {
      value = value << Byte.SIZE | Byte.toUnsignedLong(data[i]);
    }
    milliseconds = value;
    since = nanoTime.getAsLong();
    attributes = SET_BY_HOST;
  }

  /** The data structure of Get Features. */
  byte[] data() {
    long now = milliseconds + TimeUnit.NANOSECONDS.toMillis(nanoTime.getAsLong() - since);
    return new Page(BYTES).put64(0, now & MILLISECONDS_MASK).put8(ATTRIBUTES, attributes).bytes();
  }

  static byte[] initial() {
    return new byte[BYTES];
  }
}
