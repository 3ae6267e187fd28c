package dev.peerbar.cli;

import com.fasterxml.jackson.databind.util.StdConverter;
import dev.peerbar.server.Polling;
import java.util.regex.Pattern;

/** Whether an endpoint is polled, and the number of the processor if it is to be a certain one. */
final class PollText implements OptionSyntax<Polling> {
  /** What {@code --poll} alone stands for: any processor. */
  static final String ANYWHERE = "true";

  private static final String NOT_AT_ALL = "false";
  private static final Pattern NUMBER = Pattern.compile("\\d{1,9}");

  /** In a file it is written as on the command line. */
  static final class FromText extends StdConverter<String, Polling> {
    @Override
    public Polling convert(String text) {
      return parse(text);
    }
  }

  @Override
  public Polling read(String text) {
    return parse(text);
  }

  /**
   * Reads it.
   *
   * @return null for no polling
   * @throws IllegalArgumentException with a sentence if it is neither a truth value nor a number
   */
  private static Polling parse(String text) {
    String value = text.strip();
    if (NUMBER.matcher(value).matches()) {
      return Polling.ALWAYS.on(Integer.parseInt(value));
    }
    return switch (value) {
      case ANYWHERE -> Polling.ALWAYS;
      case NOT_AT_ALL -> null;
      default ->
          throw new IllegalArgumentException(
              "'%s' is neither the number of a processor, such as 1, nor true or false"
                  .formatted(text));
    };
  }
}
