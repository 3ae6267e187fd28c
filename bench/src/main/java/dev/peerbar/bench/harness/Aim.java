package dev.peerbar.bench.harness;

import java.util.Locale;

/**
 * What a ratio should be.
 *
 * @param bound the ratio that is just good enough
 */
public record Aim(Direction direction, double bound) {

  /** Which side of the bound is good. */
  public enum Direction {
    AT_MOST,
    AT_LEAST
  }

  /** Costs: less is better. */
  public static Aim atMost(double bound) {
    return new Aim(Direction.AT_MOST, bound);
  }

  /** Rates: more is better. */
  public static Aim atLeast(double bound) {
    return new Aim(Direction.AT_LEAST, bound);
  }

  /** Whether a ratio is good enough. */
  public boolean met(double ratio) {
    return direction == Direction.AT_MOST ? ratio <= bound : ratio >= bound;
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "%s %.2f", direction == Direction.AT_MOST ? "<=" : ">=", bound);
  }
}
