package dev.peerbar.bench;

import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Effort;
import dev.peerbar.bench.report.Environment;
import dev.peerbar.bench.report.LoadAverage;
import dev.peerbar.bench.report.Report;
import dev.peerbar.bench.report.Section;
import dev.peerbar.bench.report.TextTable;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Measures, one benchmark after the other, and shows the figures as they come. */
final class BenchRun {
  private static final Logger log = LoggerFactory.getLogger(BenchRun.class);

  private final Effort effort;
  private final TextTable table;
  private final PrintWriter progress;

  /**
   * @param out for the table
   * @param progress for what goes on meanwhile
   */
  BenchRun(Effort effort, PrintWriter out, PrintWriter progress) {
    this.effort = effort;
    this.table = new TextTable(out);
    this.progress = progress;
  }

  /** What came out; a benchmark that fails keeps no other one from being measured. */
  Report measure(List<Comparison> benchmarks) {
    ZonedDateTime began = ZonedDateTime.now();
    LoadAverage before = load();
    List<Section> sections = new ArrayList<>();
    for (Comparison benchmark : benchmarks) {
      tell(
          "measuring %s, %d of %d"
              .formatted(benchmark.name(), sections.size() + 1, benchmarks.size()));
      sections.add(measure(benchmark));
    }
    Report report =
        new Report(
            Environment.here(),
            began,
            Duration.between(began, ZonedDateTime.now()),
            before,
            load(),
            effort,
            sections);
    tell(
        "%d figures in %d s; %d of %d aims met"
            .formatted(
                report.figures().size(),
                report.took().toSeconds(),
                report.aimsMet(),
                report.aims()));
    return report;
  }

  private Section measure(Comparison benchmark) {
    Bench bench = new Bench(effort, table::add);
    table.begin(benchmark.name(), benchmark.about());
    Optional<String> failure = run(benchmark, bench);
    failure.ifPresent(table::fail);
    return new Section(
        benchmark.name(),
        benchmark.about(),
        bench.figures(),
        bench.distributions(),
        bench.curves(),
        failure);
  }

  private static Optional<String> run(Comparison benchmark, Bench bench) {
    try {
      benchmark.run(bench);
      return Optional.empty();
    } catch (BenchmarkException e) {
      return Optional.of(e.getMessage());
    } catch (IOException e) {
      return Optional.of(e.toString());
    } catch (Exception e) {
      // Nobody foresaw it.
      log.error("{} failed", benchmark.name(), e);
      return Optional.of(e.toString());
    }
  }

  private static LoadAverage load() {
    try {
      return LoadAverage.now();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void tell(String sentence) {
    progress.println("peerbar: " + sentence);
    progress.flush();
  }
}
