package dev.peerbar.cli;

import com.fasterxml.jackson.databind.util.StdConverter;
import dev.peerbar.server.TimeText;
import java.time.Duration;

/** After how long without work something rests: more than nothing. */
final class IdleTime implements OptionSyntax<Duration> {

  /** In a file it is written as on the command line. */
  static final class FromText extends StdConverter<String, Duration> {
    @Override
    public Duration convert(String text) {
      return parse(text);
    }
  }

  @Override
  public Duration read(String text) {
    return parse(text);
  }

  /**
   * Reads it.
   *
   * @throws IllegalArgumentException with a sentence if it is none
   */
  private static Duration parse(String text) {
    Duration time = TimeText.parse(text);
    if (time.isZero()) {
      throw new IllegalArgumentException(
          "'%s' is no time at all: 1us is the least".formatted(text));
    }
    return time;
  }
}
