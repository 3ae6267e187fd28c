package dev.peerbar.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The jar that the build makes, as a person runs it. */
@Timeout(600)
class BenchmarksJarIT {
  private static final Path JAR = Path.of("target/benchmarks.jar");

  @TempDir private Path folder;

  /** What it says, after it has ended well. */
  private String run(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Nothing is measured: whoever measures on this machine meanwhile is not to be waited for.
    command.addAll(List.of("-Djmh.ignoreLock=true", "-jar", JAR.toString()));
    command.addAll(List.of(arguments));
    Path said = folder.resolve("said");
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(said.toFile()).start();
    int status = process.waitFor();
    String text = Files.readString(said);
    assertThat(status).as(text).isZero();
    return text;
  }

  @Test
  void listsTheBenchmarks() throws Exception {
    assertThat(run("-l").lines())
        .contains(
            "dev.peerbar.bench.socket.RegisterBenchmark.floor",
            "dev.peerbar.bench.socket.RegisterBenchmark.peerbar",
            "dev.peerbar.bench.codec.HeaderCodecBenchmark.decode",
            "dev.peerbar.bench.codec.HeaderCodecBenchmark.decodeFloor");
  }

  @Test
  void measuresAnEndpointInAJvmOfItsOwn() throws Exception {
    Path results = folder.resolve("results.json");

    String said =
        run(
            "RegisterBenchmark",
            "-p",
            "access=READ_4",
            "-p",
            "placement=ONE_CPU",
            "-p",
            "receiving=WAITING",
            "-wi",
            "0",
            "-i",
            "1",
            "-r",
            "20ms",
            "-foe",
            "true",
            "-rf",
            "json",
            "-rff",
            results.toString());

    // What a JVM says of a system call that it has not been allowed.
    assertThat(said).doesNotContain("restricted method");
    JsonNode benchmarks = new ObjectMapper().readTree(results.toFile());
    assertThat(benchmarks.findValuesAsText("benchmark"))
        .containsExactlyInAnyOrder(
            "dev.peerbar.bench.socket.RegisterBenchmark.floor",
            "dev.peerbar.bench.socket.RegisterBenchmark.peerbar");
    for (JsonNode benchmark : benchmarks) {
      assertThat(benchmark.at("/forks").intValue()).isEqualTo(1);
      assertThat(benchmark.at("/primaryMetric/rawData/0")).as("iterations").hasSize(1);
    }
  }
}
