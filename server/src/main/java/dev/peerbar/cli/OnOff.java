package dev.peerbar.cli;

import com.fasterxml.jackson.databind.util.StdConverter;
import java.util.Locale;

/** What can be on or off, and is neither unless somebody says so. */
final class OnOff implements OptionSyntax<Boolean> {

  /**
   * As on the command line. To some readers of YAML these words are text and to others truth
   * values, which come here as such.
   */
  static final class FromText extends StdConverter<String, Boolean> {
    @Override
    public Boolean convert(String text) {
      return parse(text);
    }
  }

  @Override
  public Boolean read(String text) {
    return parse(text);
  }

  /**
   * Reads a switch.
   *
   * @throws IllegalArgumentException with a sentence if it is none
   */
  private static boolean parse(String text) {
    return switch (text.strip().toLowerCase(Locale.ROOT)) {
      case "on", "true" -> true;
      case "off", "false" -> false;
      default -> throw new IllegalArgumentException("'%s' is neither on nor off".formatted(text));
    };
  }
}
