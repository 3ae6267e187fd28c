package dev.peerbar.bench.harness;

import java.util.Optional;
import java.util.OptionalDouble;

/**
 * A figure beside its floor, or one that stands alone.
 *
 * @param path what was measured: "4-byte register read"
 * @param figure which figure of it: "p50", "GB/s"
 * @param unit of {@code floor} and {@code value}
 * @param ratio {@code value} in {@code floor}s, round by round; there if the floor is
 * @param aim what the ratio should be, or the value where there is none; if it should be anything
 */
public record Figure(
    String path,
    String figure,
    String unit,
    OptionalDouble floor,
    double value,
    Optional<Ratio> ratio,
    Optional<Aim> aim) {

  private static final double NANOS_PER_MICRO = 1e3;

  /** A figure beside its floor. */
  public Figure(
      String path,
      String figure,
      String unit,
      double floor,
      double value,
      Ratio ratio,
      Optional<Aim> aim) {
    this(path, figure, unit, OptionalDouble.of(floor), value, Optional.of(ratio), aim);
  }

  /**
   * A figure that has no floor but zero.
   *
   * @param aim what the value should be, in its unit
   */
  public static Figure alone(
      String path, String figure, String unit, double value, Optional<Aim> aim) {
    return new Figure(path, figure, unit, OptionalDouble.empty(), value, Optional.empty(), aim);
  }

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

  /** The mean duration of what counts as one, in microseconds. */
  public static Figure mean(String path, Measured floor, Measured subject, Optional<Aim> aim) {
    return new Figure(
        path,
        "mean",
        "us",
        floor.cost() / NANOS_PER_MICRO,
        subject.cost() / NANOS_PER_MICRO,
        subject.costOver(floor),
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

  /** What one of what was counted takes, in nanoseconds. */
  public static Figure cost(String path, Measured floor, Measured subject, Optional<Aim> aim) {
    return new Figure(
        path, "each", "ns", floor.cost(), subject.cost(), subject.costOver(floor), aim);
  }

  /** Whether it is as it should be; true if nothing is wanted. */
  public boolean met() {
    double judged = ratio.map(Ratio::median).orElse(value);
    return aim.map(wanted -> wanted.met(judged)).orElse(true);
  }
}
