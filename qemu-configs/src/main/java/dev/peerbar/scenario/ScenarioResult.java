package dev.peerbar.scenario;

import java.time.Duration;
import java.util.List;

/**
 * A scenario that has been tried once, or skipped.
 *
 * @param setting in which
 * @param scenario which
 * @param round from 1
 * @param seed of its random choices
 * @param outcome what came of it
 * @param took from before it was given its environment until that was taken back and judged
 * @param measures what it recorded
 * @param routes which ways of peer-to-peer DMA it tried
 * @param subtests those that its program made
 * @param timeline what happened meanwhile; little or nothing if it passed
 */
public record ScenarioResult(
    Setting setting,
    Description scenario,
    int round,
    long seed,
    Outcome outcome,
    Duration took,
    List<Measure> measures,
    List<Route> routes,
    Subtests subtests,
    Timeline timeline) {
  public ScenarioResult {
    measures = List.copyOf(measures);
    routes = List.copyOf(routes);
  }

  /** One of which no more is known. */
  public ScenarioResult(
      Setting setting, Description scenario, int round, long seed, Outcome outcome, Duration took) {
    this(
        setting,
        scenario,
        round,
        seed,
        outcome,
        took,
        List.of(),
        List.of(),
        Subtests.NONE,
        Timeline.NONE);
  }

  /** The same with so many events of its timeline at most. */
  public ScenarioResult withTimeline(int most) {
    return new ScenarioResult(
        setting,
        scenario,
        round,
        seed,
        outcome,
        took,
        measures,
        routes,
        subtests,
        timeline.atMost(most));
  }
}
