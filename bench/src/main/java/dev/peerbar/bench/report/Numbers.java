package dev.peerbar.bench.report;

import java.util.Locale;

/** Numbers for people. */
final class Numbers {
  private static final int DIGITS = 4;
  private static final double SMALLEST = 0.001;

  private Numbers() {}

  /** With four digits that mean something. */
  static String of(double number) {
    double size = Math.abs(number);
    if (size == 0) {
      return "0";
    }
    if (size < SMALLEST) {
      return String.format(Locale.ROOT, "%.1e", number);
    }
    int whole = Math.max(1, (int) Math.floor(Math.log10(size)) + 1);
    return String.format(Locale.ROOT, "%." + Math.max(0, DIGITS - whole) + "f", number);
  }

  /** As a ratio is read: two decimals, three near one where aims are. */
  static String ratio(double ratio) {
    return ratio < 10
        ? String.format(Locale.ROOT, "%.3f", ratio)
        : String.format(Locale.ROOT, "%.1f", ratio);
  }
}
