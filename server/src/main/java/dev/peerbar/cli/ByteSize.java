package dev.peerbar.cli;

import com.fasterxml.jackson.databind.util.StdConverter;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A number of bytes as people write it: digits, then K, M, G or T for powers of 1024. */
public final class ByteSize implements OptionSyntax<Long> {
  private static final Pattern SYNTAX = Pattern.compile("(\\d{1,18})([KMGT]?)(?:i?B)?");
  private static final String UNITS = "KMGT";
  private static final int UNIT_BITS = 10;

  /** Sizes in a file are written as on the command line. */
  static final class FromText extends StdConverter<String, Long> {
    @Override
    public Long convert(String text) {
      return parse(text);
    }
  }

  @Override
  public Long read(String text) {
    return parse(text);
  }

  /**
   * @return bytes
   * @throws IllegalArgumentException with a sentence if it is no size, or more than a long holds
   */
  public static long parse(String text) {
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
}
