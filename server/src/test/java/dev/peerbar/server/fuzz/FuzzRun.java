package dev.peerbar.server.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Jazzer, which instruments what it runs and looks for inputs that reach new code, in a process of
 * its own. For {@code -Dfuzz.seconds} seconds, {@value #SECONDS} unless said.
 */
final class FuzzRun {
  private static final long SECONDS = 10;
  private static final long GRACE_SECONDS = 300;
  private static final String JAZZER = "com.code_intelligence.jazzer.Jazzer";

  private FuzzRun() {}

  /**
   * Runs.
   *
   * @param target with the static methods that Jazzer calls
   * @param name of the folder of its corpus
   */
  static void run(Class<?> target, String name) throws Exception {
    long seconds = Long.getLong("fuzz.seconds", SECONDS);
    Path work = Files.createDirectories(Path.of("target", "fuzz", name));
    Path found = Files.createDirectories(work.resolve("corpus"));
    Path output = work.resolve("output.txt");
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve(".mvn/program.options"))) {
      root = root.getParent();
    }
    List<String> command = new ArrayList<>();
    command.add(ProcessHandle.current().info().command().orElseThrow());
    command.add("@" + root.resolve(".mvn/program.options"));
    command.add("-XX:+EnableDynamicAgentLoading");
    command.add("-Xmx1g");
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), JAZZER));
    command.add("--target_class=" + target.getName());
    command.add("--instrumentation_includes=dev.peerbar.**");
    command.add("--custom_hook_includes=dev.peerbar.**");
    command.add("--reproducer_path=" + work);
    command.add("-artifact_prefix=" + work.resolve("failed-"));
    command.add("-max_total_time=" + seconds);
    command.add("-seed=" + Long.getLong("fuzz.seed", 1));
    command.add("-max_len=4096");
    command.add("-timeout=60");
    // Linux counts the memory of the process that started this one as its peak, too (getrusage(2),
    // ru_maxrss, lives through exec): the heap is what bounds it.
    command.add("-rss_limit_mb=0");
    command.add("-print_final_stats=1");
    command.add(found.toString());
    command.add(FuzzCorpus.folder(name).toString());
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    try {
      boolean ended = process.waitFor(seconds + GRACE_SECONDS, TimeUnit.SECONDS);
      report(name, output);
      assertThat(ended).as("fuzzing ended in time").isTrue();
      assertThat(process.exitValue())
          .as(
              "fuzzing found something: see %s; the input is failed-* beside it, and belongs into"
                  + " src/test/resources/fuzz/%s once repaired",
              output, name)
          .isZero();
    } finally {
      process.destroyForcibly();
    }
  }

  private static void report(String name, Path output) throws Exception {
    try (Stream<String> lines = Files.lines(output)) {
      lines
          .filter(line ->
              line.startsWith("stat::number_of_executed_units")
                  || line.startsWith("fuzzed:")
                  || line.startsWith("INFO: Seed")
                  || line.startsWith("== Java Exception")
                  || line.contains("DONE"))
          .forEach(line -> System.out.println(name + " fuzzer: " + line));
    }
  }
}
