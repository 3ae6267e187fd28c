package dev.peerbar.scenario;

/**
 * A time or a count that a scenario recorded, to be compared with that of another run. No verdict
 * hangs on it.
 *
 * @param name what it is, a few words without a capital, such as {@code "mappings made"}
 * @param value not negative
 * @param unit such as {@code "ms"}; empty for a count
 */
public record Measure(String name, double value, String unit) {
  public Measure {
    if (name.isBlank() || !(value >= 0)) {
      throw new IllegalArgumentException("no measure: %s %s %s".formatted(name, value, unit));
    }
  }
}
