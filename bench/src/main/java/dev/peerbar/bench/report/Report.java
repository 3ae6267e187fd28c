package dev.peerbar.bench.report;

import dev.peerbar.bench.harness.Effort;
import dev.peerbar.bench.harness.Figure;
import java.time.Duration;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.stream.Stream;

/**
 * What came out of a run of benchmarks.
 *
 * @param loadBefore the machine's load average before the run
 * @param loadAfter and after it
 */
public record Report(
    Environment environment,
    ZonedDateTime began,
    Duration took,
    LoadAverage loadBefore,
    LoadAverage loadAfter,
    Effort effort,
    List<Section> sections) {

  /** All figures. */
  public List<Figure> figures() {
    return sections.stream().flatMap(section -> section.figures().stream()).toList();
  }

  /** How many figures have an aim. */
  public long aims() {
    return aimed().count();
  }

  /** How many of these are as they should be. */
  public long aimsMet() {
    return aimed().filter(Figure::met).count();
  }

  private Stream<Figure> aimed() {
    return figures().stream().filter(figure -> figure.aim().isPresent());
  }
}
