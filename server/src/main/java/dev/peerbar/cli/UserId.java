package dev.peerbar.cli;

/** A numeric user id, 0 to 4294967294; unsigned, as Linux has them. */
final class UserId implements OptionSyntax<Integer> {
  /** What system calls take for no user at all. */
  private static final int NOBODY_AT_ALL = -1;

  @Override
  public Integer read(String text) {
    return parse(text);
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
