package dev.peerbar.scenario;

import java.util.List;

/**
 * Tests that a program made for a scenario.
 *
 * @param plan how many there should be, or -1 if it did not say
 * @param points what came of each, in order
 * @param lines all that it printed in the Test Anything Protocol, but for the version of that
 */
public record Subtests(int plan, List<Point> points, List<String> lines) {
  /** None, as of scenarios that run no program. */
  public static final Subtests NONE = new Subtests(-1, List.of(), List.of());

  public Subtests {
    points = List.copyOf(points);
    lines = List.copyOf(lines);
  }

  /** What came of a test. */
  public enum Outcome {
    PASSED,
    FAILED,
    SKIPPED
  }

  /**
   * A test.
   *
   * @param text why it was skipped, or what it said before it failed, in lines; or empty
   */
  public record Point(String name, Outcome outcome, String text) {}

  /** How many ended so. */
  public int count(Outcome outcome) {
    return (int) points.stream().filter(p -> p.outcome() == outcome).count();
  }

  /** Those that ended so, in order. */
  public List<Point> all(Outcome outcome) {
    return points.stream().filter(p -> p.outcome() == outcome).toList();
  }
}
