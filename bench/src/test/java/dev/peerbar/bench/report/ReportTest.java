package dev.peerbar.bench.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Curve;
import dev.peerbar.bench.harness.Distribution;
import dev.peerbar.bench.harness.Effort;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Ratio;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
  /** What would end the script that holds the data, if it stood there. */
  private static final String NASTY = "</script><b>\"&";

  private static final Figure MISSED =
      new Figure(
          NASTY, "p50", "us", 10, 12, new Ratio(1.2, 1.1, 1.3), Optional.of(Aim.atMost(1.05)));
  private static final Figure ALONE =
      Figure.alone("codec", "garbage", "B", 0, Optional.of(Aim.atMost(0.01)));

  private final Report report =
      new Report(
          Environment.here(),
          ZonedDateTime.of(2026, 1, 2, 3, 4, 5, 0, ZoneOffset.UTC),
          Duration.ofMillis(1500),
          new LoadAverage(0.5, 0.25, 0.125),
          new LoadAverage(1, 0.5, 0.25),
          Effort.QUICK,
          List.of(
              new Section(
                  "register",
                  "reads",
                  List.of(MISSED, ALONE),
                  List.of(
                      new Distribution(
                          "read",
                          List.of(
                              new Distribution.Line(
                                  "floor", List.of(new Distribution.Point(50, 8.5)))))),
                  List.of(
                      new Curve(
                          "copy",
                          "bytes",
                          "GB/s",
                          true,
                          List.of(new Curve.Line("peerbar", List.of(new Curve.Point(4096, 2.5)))))),
                  Optional.empty()),
              new Section(
                  "guest", "boots", List.of(), List.of(), List.of(), Optional.of("No QEMU."))));

  @TempDir private Path folder;

  @Test
  void jsonHoldsEverything() throws IOException {
    JsonNode json = written();

    assertThat(json.at("/machine/processors").intValue()).isPositive();
    assertThat(json.at("/effort/name").textValue()).isEqualTo("quick");
    assertThat(json.at("/began").textValue()).isEqualTo("2026-01-02T03:04:05Z");
    assertThat(json.at("/seconds").doubleValue()).isEqualTo(1.5);
    assertThat(json.at("/load_before/0").doubleValue()).isEqualTo(0.5);
    assertThat(json.at("/aims").intValue()).isEqualTo(2);
    assertThat(json.at("/aims_met").intValue()).isEqualTo(1);
    JsonNode benchmark = json.at("/benchmarks/0");
    assertThat(benchmark.at("/distributions/0/lines/0/points/0/us").doubleValue()).isEqualTo(8.5);
    assertThat(benchmark.at("/curves/0/lines/0/points/0/x").doubleValue()).isEqualTo(4096);
    assertThat(benchmark.at("/failure").isNull()).isTrue();
    assertThat(json.at("/benchmarks/1/failure").textValue()).isEqualTo("No QEMU.");
  }

  @Test
  void jsonTellsAFigureWithAFloorFromOneThatStandsAlone() throws IOException {
    JsonNode figures = written().at("/benchmarks/0/figures");

    JsonNode missed = figures.get(0);
    assertThat(missed.at("/path").textValue()).isEqualTo(NASTY);
    assertThat(missed.at("/floor").doubleValue()).isEqualTo(10);
    assertThat(missed.at("/ratio/third_quartile").doubleValue()).isEqualTo(1.3);
    assertThat(missed.at("/aim/of").textValue()).isEqualTo("ratio");
    assertThat(missed.at("/aim/direction").textValue()).isEqualTo("at_most");
    assertThat(missed.at("/met").booleanValue()).isFalse();
    JsonNode alone = figures.get(1);
    assertThat(alone.at("/floor").isNull()).isTrue();
    assertThat(alone.at("/ratio").isNull()).isTrue();
    assertThat(alone.at("/aim/of").textValue()).isEqualTo("value");
    assertThat(alone.at("/met").booleanValue()).isTrue();
  }

  private JsonNode written() throws IOException {
    Path file = folder.resolve("report.json");
    JsonFile.prepare(file).write(report);
    return new ObjectMapper().readTree(file.toFile());
  }

  @Test
  void aFileKeepsWhatItHoldsUntilThereIsAReport() throws IOException {
    Path file = Files.writeString(folder.resolve("report.json"), "earlier");
    JsonFile.prepare(file);
    assertThat(file).hasContent("earlier");
  }

  @Test
  void aFileThatCannotBeWrittenIsToldOfAtOnce() {
    assertThatThrownBy(() -> JsonFile.prepare(folder.resolve("no/report.json")))
        .isInstanceOf(NoSuchFileException.class);
    assertThatThrownBy(() -> JsonFile.prepare(folder)).isInstanceOf(IOException.class);
  }

  @Test
  void thePageIsWholeWhateverItsTexts() throws IOException {
    Path page = folder.resolve("a/page");
    Page.prepare(page).write(report);

    assertThat(page.resolve("echarts.min.js")).isNotEmptyFile();
    String html = Files.readString(page.resolve("index.html"));
    assertThat(html).contains("No QEMU.", "≤ 1.05", "missed", "&lt;/script&gt;&lt;b&gt;");
    assertThat(html).doesNotContain(NASTY, "http:", "https:");
    assertThat(new ObjectMapper().readTree(PageData.of(html)).at("/benchmarks")).hasSize(2);
  }
}
