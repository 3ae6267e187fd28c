package dev.peerbar.cli;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A numeric user id, 0 to 4294967294; unsigned, as Linux has them. */
final class UserId implements ITypeConverter<Integer> {
  /** What system calls take for no user at all. */
  private static final int NOBODY_AT_ALL = -1;

  @Override
  public Integer convert(String text) {
    try {
      return parse(text);
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(e.getMessage());
    }
  }

  /**
   * Reads a user id.
   *
   * @throws IllegalArgumentException with a sentence if it is none
   */
  static int parse(String text) {
    try {
      int uid = Integer.parseUnsignedInt(text.strip());
      if (uid != NOBODY_AT_ALL) {
        return uid;
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw new IllegalArgumentException("'%s' is not a numeric user id".formatted(text));
  }
}
