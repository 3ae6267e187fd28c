package dev.peerbar.bench.harness;

import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramIterationValue;

/**
 * How durations are distributed, for a drawing.
 *
 * @param path what was measured
 */
public record Distribution(String path, List<Line> lines) {
  private static final int TICKS_PER_HALF = 5;
  private static final double NANOS_PER_MICRO = 1e3;

  /**
   * One side.
   *
   * @param points of a percentile, 0 to 100, and the duration in microseconds that so many do not
   *     exceed
   */
  public record Line(String name, List<Point> points) {}

  /** See {@link Line}. */
  public record Point(double percentile, double micros) {}

  /** Of sides that were measured together, the floor first. */
  public static Distribution of(String path, List<Measured> sides) {
    return new Distribution(
        path, sides.stream().map(side -> new Line(side.name(), points(side.nanos()))).toList());
  }

  private static List<Point> points(Histogram nanos) {
    List<Point> points = new ArrayList<>();
    for (HistogramIterationValue value : nanos.percentiles(TICKS_PER_HALF)) {
      points.add(
          new Point(
              value.getPercentileLevelIteratedTo(), value.getValueIteratedTo() / NANOS_PER_MICRO));
    }
    return points;
  }
}
