package dev.peerbar.bench.harness;

import org.apache.commons.statistics.descriptive.Quantile;

/**
 * A ratio as it came out in the rounds of a comparison: each round compares iterations that
 * followed each other at once.
 *
 * @param median of the rounds
 * @param low first quartile
 * @param high third quartile
 */
public record Ratio(double median, double low, double high) {
  private static final double[] QUARTILES = {0.25, 0.5, 0.75};

  /** Of the ratios of all rounds, at least one. */
  public static Ratio of(double... rounds) {
    double[] quartiles = Quantile.withDefaults().evaluate(rounds, QUARTILES);
    return new Ratio(quartiles[1], quartiles[0], quartiles[2]);
  }
}
