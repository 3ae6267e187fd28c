package dev.peerbar.cli;

import java.util.regex.Pattern;

/** Permission bits of a file as chmod takes them: octal digits. */
final class FileMode implements OptionSyntax<Integer> {
  private static final Pattern SYNTAX = Pattern.compile("0?[0-7]{3}");
  private static final int OCTAL = 8;

  @Override
  public Integer read(String text) {
    return parse(text);
  }

  /**
   * Reads a mode.
   *
   * @throws IllegalArgumentException with a sentence if it is none
   */
  static int parse(String text) {
    if (!SYNTAX.matcher(text.strip()).matches()) {
      throw new IllegalArgumentException("'%s' is not a mode such as 0600 or 0660".formatted(text));
    }
    return Integer.parseInt(text.strip(), OCTAL);
  }
}
