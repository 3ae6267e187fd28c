package dev.peerbar.server;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A length of time as people write it: digits, then us, ms, s or m. */
public final class TimeText {
  private static final Pattern SYNTAX = Pattern.compile("(\\d{1,7})(us|ms|s|m)");
  private static final int NANOS_PER_MICRO = 1000;
  private static final int NANOS_PER_MILLI = 1_000_000;

  private TimeText() {}

  /**
   * Reads one.
   *
   * @return zero, or so much that its nanoseconds fit into a long
   * @throws IllegalArgumentException with a sentence if it is none
   */
  public static Duration parse(String text) {
    Matcher time = SYNTAX.matcher(text);
    if (!time.matches()) {
      throw new IllegalArgumentException(
          "'%s' is no time, such as 50us, 90ms, 4s or 2m".formatted(text));
    }
    long number = Long.parseLong(time.group(1));
    return switch (time.group(2)) {
      case "us" -> Duration.ofNanos(number * NANOS_PER_MICRO);
      case "ms" -> Duration.ofMillis(number);
      case "s" -> Duration.ofSeconds(number);
      default -> Duration.ofMinutes(number);
    };
  }

  /** In milliseconds, or in microseconds if those would leave a fraction. */
  public static String of(Duration time) {
    return time.toNanosPart() % NANOS_PER_MILLI == 0
        ? time.toMillis() + "ms"
        : time.toNanos() / NANOS_PER_MICRO + "us";
  }
}
