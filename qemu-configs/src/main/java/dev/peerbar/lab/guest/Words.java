package dev.peerbar.lab.guest;

import java.time.Duration;
import java.util.Locale;

/** How numbers are said in messages. */
final class Words {
  private static final String[] BINARY = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  private static final long PLAIN = 1 << 16;

  private Words() {}

  /** To a tenth of the largest unit that it has one of. */
  static String of(Duration duration) {
    long nanos = duration.toNanos();
    if (nanos < 10_000) {
      return nanos + " ns";
    }
    if (nanos < 1_000_000) {
      return nanos / 1000 + " us";
    }
    double unit = nanos < 1_000_000_000 ? 1e6 : 1e9;
    String number = String.format(Locale.ROOT, "%.1f", nanos / unit);
    return number.replaceFirst("\\.0$", "") + (unit == 1e6 ? " ms" : " s");
  }

  /** A number of bytes, exactly. */
  static String ofBytes(long bytes) {
    int unit = 0;
    while (bytes != 0 && bytes % 1024 == 0 && unit < BINARY.length - 1) {
      bytes /= 1024;
      unit++;
    }
    return bytes + " " + BINARY[unit];
  }

  /** Small numbers in decimal, addresses and the like in hexadecimal. */
  static String ofNumber(long value) {
    return value > -PLAIN && value < PLAIN ? Long.toString(value) : "0x" + Long.toHexString(value);
  }
}
