package dev.peerbar.bench.harness;

import java.util.List;

/**
 * How a figure depends on something, for a drawing.
 *
 * @param path what was measured
 * @param x what it depends on, with its unit
 * @param y the figure, with its unit
 * @param logarithmic whether x doubles from point to point
 */
public record Curve(String path, String x, String y, boolean logarithmic, List<Line> lines) {

  /** One line of it. */
  public record Line(String name, List<Point> points) {}

  /** A point. */
  public record Point(double x, double y) {}
}
