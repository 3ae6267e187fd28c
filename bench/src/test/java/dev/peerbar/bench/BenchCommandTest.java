package dev.peerbar.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.report.PageData;
import dev.peerbar.cli.Main;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The command, as a person runs it, in the mode that only sees whether benchmarks work. */
class BenchCommandTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @TempDir private Path folder;

  private int bench(List<String> arguments) {
    CommandLine commandLine = Main.commandLine();
    // Of subcommands, too.
    commandLine.setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    return commandLine.execute(
        Stream.concat(Stream.of("bench"), arguments.stream()).toArray(String[]::new));
  }

  @Test
  @Tag("long")
  void measuresAllThatNeedsNoGuest() throws IOException {
    List<String> names =
        ServiceLoader.load(Comparison.class).stream()
            .map(ServiceLoader.Provider::get)
            .filter(benchmark -> !benchmark.needsGuest())
            .map(Comparison::name)
            .toList();
    Path json = folder.resolve("figures.json");
    List<String> arguments = new ArrayList<>(names);
    arguments.addAll(List.of("--quick", "--json=" + json, "--report=" + folder.resolve("page")));

    int status = bench(arguments);

    assertThat(status).as(out.toString() + err).isZero();
    JsonNode report = new ObjectMapper().readTree(json.toFile());
    assertThat(report.at("/benchmarks").findValuesAsText("name")).containsAll(names);
    List<String> paths = new ArrayList<>();
    for (JsonNode benchmark : report.at("/benchmarks")) {
      assertThat(benchmark.at("/figures")).as(benchmark.toString()).isNotEmpty();
      for (JsonNode figure : benchmark.at("/figures")) {
        makesSense(figure);
        paths.add(figure.at("/path").textValue() + ": " + figure.at("/figure").textValue());
      }
    }
    assertThat(paths).doesNotHaveDuplicates().containsAll(promised());
    pageHolds(report);
  }

  /** Every number is one; which one is up to the machine and to what else it does. */
  private static void makesSense(JsonNode figure) {
    List<String> numbers =
        figure.at("/ratio").isNull()
            ? List.of("/value")
            : List.of("/floor", "/value", "/ratio/median");
    for (String number : numbers) {
      // What is not finite is text in JSON.
      assertThat(figure.at(number).isNumber()).as(figure.toString()).isTrue();
    }
  }

  private static List<String> promised() throws IOException {
    List<String> promised = new ArrayList<>();
    for (Placement placement : Placement.values()) {
      if (placement.possible()) {
        for (String access : List.of("read", "write")) {
          for (String width : List.of("4", "8")) {
            String path = "%s-byte register %s, %s, waiting: ".formatted(width, access, placement);
            promised.addAll(List.of(path + "p50", path + "p99"));
          }
          for (String size : List.of("64 KiB", "1024 KiB")) {
            promised.add("memory BAR %s of %s, %s: rate".formatted(access, size, placement));
          }
        }
        promised.add("posted 4-byte writes, %s: rate".formatted(placement));
        promised.add("posted WRITE_MULTI of 16, %s: rate".formatted(placement));
      }
    }
    promised.addAll(
        List.of(
            "4-byte register read: garbage",
            "4-byte register write: garbage",
            "BAR load, anywhere: each",
            "BAR store, anywhere: each",
            "BAR load, cached: each",
            "BAR store, cached: each",
            "copy of 1 MiB from a BAR: rate",
            "copy of 1 MiB to a BAR: rate",
            "Header, decode: each",
            "RegionRead, decode request: each",
            "RegionRead, encode reply: garbage",
            "RegionWrite, decode request: garbage",
            "RegionWrite, encode reply: each",
            "DmaMap, decode request: each",
            "copy of 4 KiB, I/OAT: rate",
            "copy of 1024 KiB, I/OAT: rate",
            "copy of 1024 KiB, HBM: rate",
            "descriptors of 64 bytes, I/OAT: rate",
            "descriptors of 64 bytes, I/OAT beside HBM: rate",
            "4 KiB read, --poll: garbage",
            "4 KiB write, --poll: garbage",
            "descriptors of 64 bytes, --poll: rate",
            "mapped doorbell to record, --poll: p50",
            "mapped doorbell to record, --poll: p99",
            "4 KiB read, depth 1, --poll: mean",
            "4 KiB read, depth 1, --poll: p99",
            "4 KiB read, depth 32, --poll: rate",
            "4 KiB write, depth 1, --poll: mean",
            "4 KiB write, depth 32, --poll: rate",
            "4 KiB read, depth 1, waiting: mean",
            "idle endpoint, waiting: CPU",
            "register read, one of 8 idle, one CPU: p50",
            "register read, one of 64 idle, one CPU: p50",
            "register read, others of 8 copy, one CPU: p50",
            "register read, others of 64 copy, one CPU: p50",
            "serve hbm: ready",
            "serve hbm: VmRSS",
            "serve nvme beside an empty program: ready"));
    return promised;
  }

  private void pageHolds(JsonNode report) throws IOException {
    String html = Files.readString(folder.resolve("page/index.html"));
    JsonNode drawn = new ObjectMapper().readTree(PageData.of(html));
    assertThat(drawn.at("/benchmarks")).isEqualTo(report.at("/benchmarks"));
    for (String path : report.at("/benchmarks").findValuesAsText("path")) {
      assertThat(html).contains(path);
    }
  }

  @Test
  void namesTheBenchmarksIfAskedForAnother() {
    assertThat(bench(List.of("register", "speed"))).isEqualTo(2);
    assertThat(err.toString()).contains("no benchmark 'speed'", "register", "endpoints");
    assertThat(out.toString()).isEmpty();
  }

  @Test
  void helpListsTheBenchmarks() {
    assertThat(bench(List.of("--help"))).isZero();
    for (Comparison benchmark : ServiceLoader.load(Comparison.class)) {
      assertThat(out.toString()).contains(benchmark.name(), benchmark.about());
    }
  }

  @Test
  void measuresNothingThatItCouldNotWrite() {
    String json = "--json=" + folder.resolve("none/figures.json");
    assertThat(bench(List.of("register", json))).isEqualTo(1);
    assertThat(err.toString().lines()).singleElement().asString().contains("no such folder");
    assertThat(out.toString()).isEmpty();
  }
}
