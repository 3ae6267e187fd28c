package dev.peerbar.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.bench.harness.JmhDefaults;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.BenchmarkList;
import org.openjdk.jmh.runner.BenchmarkListEntry;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.format.OutputFormatFactory;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** What JMH finds here. */
class JmhTest {
  /** What the name of a floor ends with, unless it is the one floor of its class. */
  private static final String FLOOR = "Floor";

  /** One value of each parameter: the ones that are set up soonest. */
  private static final Map<String, String> PARAMETERS =
      Map.of(
          "placement", "ONE_CPU",
          "receiving", "WAITING",
          "serving", "POLLING",
          "depth", "32",
          "live", "100",
          "workingSet", "16384");

  /** The benchmarks of each class. */
  private static Map<String, SequencedSet<String>> listed() {
    Map<String, SequencedSet<String>> methods = new TreeMap<>();
    for (BenchmarkListEntry entry :
        BenchmarkList.defaultList()
            .getAll(
                OutputFormatFactory.createFormatInstance(System.out, VerboseMode.SILENT),
                List.of())) {
      String name = entry.getUsername();
      int dot = name.lastIndexOf('.');
      methods
          .computeIfAbsent(name.substring(0, dot), _ -> new TreeSet<>())
          .add(name.substring(dot + 1));
    }
    return methods;
  }

  @Test
  void everyBenchmarkHasAFloorInItsClass() {
    assertThat(listed().keySet())
        .extracting(name -> name.substring(name.lastIndexOf('.') + 1))
        .containsExactlyInAnyOrder(
            "RegisterBenchmark",
            "PostedWriteBenchmark",
            "BulkBenchmark",
            "BarAccessBenchmark",
            "BarCopyBenchmark",
            "DoorbellBenchmark",
            "MapBenchmark",
            "CopyBenchmark",
            "IoatBenchmark",
            "MessagesBenchmark",
            "NvmeBenchmark",
            "PolledCopyBenchmark",
            "PolledDoorbellBenchmark",
            "DmaMapCodecBenchmark",
            "HeaderCodecBenchmark",
            "RegionReadCodecBenchmark",
            "RegionWriteCodecBenchmark");
    listed()
        .forEach((name, methods) -> {
          for (String method : methods) {
            if (!isFloor(method)) {
              assertThat(methods).as(name).containsAnyOf("floor", method + FLOOR);
            }
          }
        });
  }

  private static boolean isFloor(String method) {
    return method.equals("floor") || method.endsWith(FLOOR);
  }

  @Test
  @Tag("long")
  void everyBenchmarkRuns() throws Exception {
    // Nothing is measured: whoever measures on this machine meanwhile is not to be waited for.
    System.setProperty("jmh.ignoreLock", "true");
    OptionsBuilder options = new OptionsBuilder();
    PARAMETERS.forEach((name, value) -> options.param(name, value));
    options
        .forks(0)
        .warmupIterations(0)
        .measurementIterations(1)
        .measurementTime(TimeValue.milliseconds(1))
        .verbosity(VerboseMode.SILENT)
        .shouldFailOnError(true);

    Collection<RunResult> results = new Runner(options.build()).run();

    Map<String, SequencedSet<String>> ran = new TreeMap<>();
    for (RunResult result : results) {
      assertThat(result.getPrimaryResult().getSampleCount())
          .as(result.getParams().id())
          .isPositive();
      String name = result.getParams().getBenchmark();
      int dot = name.lastIndexOf('.');
      ran.computeIfAbsent(name.substring(0, dot), _ -> new TreeSet<>())
          .add(name.substring(dot + 1));
    }
    assertThat(ran).isEqualTo(listed());
  }

  @Test
  void forksHaveTheProgramsOptions() throws IOException {
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve(".mvn/program.options"))) {
      root = root.getParent();
    }
    List<String> options =
        Files.readAllLines(root.resolve(".mvn/program.options")).stream()
            .filter(line -> !line.startsWith("#"))
            .toList();

    assertThat(JmhDefaults.class.getAnnotation(Fork.class).jvmArgsAppend()).containsAll(options);
  }
}
