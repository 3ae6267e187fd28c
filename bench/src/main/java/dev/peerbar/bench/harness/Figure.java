package dev.peerbar.bench.harness;

import java.util.Optional;

/**
 * A figure beside its floor.
 *
 * @param path what was measured: "4-byte register read"
 * @param figure which figure of it: "p50", "GB/s"
 * @param unit of {@code floor} and {@code value}
 * @param ratio {@code value} in {@code floor}s, round by round
 * @param aim what the ratio should be, if it should be anything
 */
public record Figure(
    String path,
    String figure,
    String unit,
    double floor,
    double value,
    Ratio ratio,
    Optional<Aim> aim) {

  private static final double NANOS_PER_MICRO = 1e3;

  /** A percentile of the duration, in microseconds. */
  public static Figure percentile(
      String path, Measured floor, Measured subject, double percentile, Optional<Aim> aim) {
    return new Figure(
        path,
        "p%.0f".formatted(percentile),
        "us",
        floor.percentile(percentile) / NANOS_PER_MICRO,
        subject.percentile(percentile) / NANOS_PER_MICRO,
        subject.percentileOver(floor, percentile),
        aim);
  }

  /**
   * A rate.
   *
   * @param scale how many of what was counted make one of {@code unit} a second
   */
  public static Figure rate(
      String path, String unit, double scale, Measured floor, Measured subject, Optional<Aim> aim) {
    return new Figure(
        path,
        "rate",
        unit,
        floor.rate() / scale,
        subject.rate() / scale,
        subject.rateOver(floor),
        aim);
  }

  /** Whether it is as it should be; true if nothing is wanted. */
  public boolean met() {
    return aim.map(wanted -> wanted.met(ratio.median())).orElse(true);
  }
}
