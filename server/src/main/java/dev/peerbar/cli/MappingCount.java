package dev.peerbar.cli;

import com.fasterxml.jackson.databind.util.StdConverter;
import dev.peerbar.server.ServerOptions;
import java.util.regex.Pattern;

/** How many DMA mappings a client may have: 1 to {@link ServerOptions#MOST_DMA_MAPS}. */
final class MappingCount implements OptionSyntax<Integer> {
  private static final Pattern SYNTAX = Pattern.compile("\\d{1,9}");

  /** Numbers in a file are written as on the command line. */
  static final class FromText extends StdConverter<String, Integer> {
    @Override
    public Integer convert(String text) {
      return parse(text);
    }
  }

  @Override
  public Integer read(String text) {
    return parse(text);
  }

  /**
   * Reads a number.
   *
   * @throws IllegalArgumentException with a sentence if it is none, or out of the range
   */
  private static int parse(String text) {
    if (SYNTAX.matcher(text.strip()).matches()) {
      int number = Integer.parseInt(text.strip());
      if (number >= 1 && number <= ServerOptions.MOST_DMA_MAPS) {
        return number;
      }
    }
    throw new IllegalArgumentException(
        "'%s' is not a number of mappings from 1 to %d"
            .formatted(text, ServerOptions.MOST_DMA_MAPS));
  }
}
