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
 */
public record ScenarioResult(
    Setting setting,
    Description scenario,
    int round,
    long seed,
    Outcome outcome,
    Duration took,
    List<Measure> measures) {
  public ScenarioResult {
    measures = List.copyOf(measures);
  }
}
