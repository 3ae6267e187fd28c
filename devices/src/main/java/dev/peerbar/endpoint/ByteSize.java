package dev.peerbar.endpoint;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A number of bytes as people write it: digits, then K, M, G or T for powers of 1024. */
final class ByteSize {
  private static final Pattern SYNTAX = Pattern.compile("(\\d{1,18})([KMGT]?)(?:i?B)?");
  private static final String UNITS = "KMGT";
  private static final int UNIT_BITS = 10;

  private ByteSize() {}

  /**
   * @return bytes
   * @throws IllegalArgumentException with a sentence if it is no size, or more than a long holds
   */
  static long parse(String text) {
    Matcher matcher = SYNTAX.matcher(text.strip());
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "'%s' is not a size such as 64K, 256M or 4G".formatted(text));
    }
    long number = Long.parseLong(matcher.group(1));
    int bits = matcher.group(2).isEmpty() ? 0 : (UNITS.indexOf(matcher.group(2)) + 1) * UNIT_BITS;
    if (number > Long.MAX_VALUE >> bits) {
      throw new IllegalArgumentException("'%s' is too large".formatted(text));
    }
    return number << bits;
  }

  /** In the largest unit that leaves no fraction: what {@link #parse} reads as the same number. */
  static String format(long bytes) {
    int unit = bytes == 0 ? 0 : Long.numberOfTrailingZeros(bytes) / UNIT_BITS;
    unit = Math.min(unit, UNITS.length());
    return (bytes >> unit * UNIT_BITS) + (unit == 0 ? "" : UNITS.substring(unit - 1, unit));
  }
}
