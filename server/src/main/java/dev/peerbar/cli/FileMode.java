package dev.peerbar.cli;

import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Permission bits of a file as chmod takes them: octal digits. */
final class FileMode implements ITypeConverter<Integer> {
  private static final Pattern SYNTAX = Pattern.compile("0?[0-7]{3}");
  private static final int OCTAL = 8;

  @Override
  public Integer convert(String text) {
    try {
      return parse(text);
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(e.getMessage());
    }
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
