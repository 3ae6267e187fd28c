package dev.peerbar.lab.setup;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * A program that set-up runs to its end. It dies with this process, and with it whatever it
 * started.
 *
 * @param directory where it runs
 * @param environment what is added to the environment
 * @param words program and arguments
 */
record SetupProgram(Path directory, Map<String, String> environment, List<String> words) {
  private static final int TAIL = 15;

  /**
   * Variables that are about something else: a make that is run inside another make or a Maven
   * build is not its child, a developer's own kernel may be for another machine, and inside a git
   * bisect git works on another tree.
   */
  private static final List<String> FOREIGN =
      List.of(
          "MAKEFLAGS",
          "MFLAGS",
          "MAKELEVEL",
          "ARCH",
          "CROSS_COMPILE",
          "KBUILD_OUTPUT",
          "KCONFIG_CONFIG",
          "KCONFIG_ALLCONFIG",
          "GIT_DIR",
          "GIT_WORK_TREE",
          "GIT_INDEX_FILE",
          "GIT_PREFIX");

  SetupProgram {
    environment = Map.copyOf(environment);
    words = List.copyOf(words);
  }

  static SetupProgram in(Path directory, String... words) {
    return new SetupProgram(directory, Map.of(), List.of(words));
  }

  SetupProgram with(String variable, String value) {
    Map<String, String> more = new HashMap<>(environment);
    more.put(variable, value);
    return new SetupProgram(directory, more, words);
  }

  /** Whether a program is on the PATH. */
  static boolean exists(String program) {
    for (String directory : System.getenv().getOrDefault("PATH", "/usr/bin:/bin").split(":")) {
      if (Files.isExecutable(Path.of(directory, program))) {
        return true;
      }
    }
    return false;
  }

  /** What it prints on standard output and standard error together. */
  String output() throws IOException, SetupException {
    StringBuilder all = new StringBuilder();
    run(line -> all.append(line).append('\n'));
    return all.toString();
  }

  void run() throws IOException, SetupException {
    run(line -> {});
  }

  /**
   * Runs it.
   *
   * @param lines given every line that it prints, as it comes
   * @throws SetupException with the last lines if it failed
   */
  void run(Consumer<String> lines) throws IOException, SetupException {
    ProcessBuilder builder =
        new ProcessBuilder(words)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectInput(Path.of("/dev/null").toFile());
    builder.environment().put("LC_ALL", "C");
    FOREIGN.forEach(builder.environment()::remove);
    builder.environment().putAll(environment);
    Process process = builder.start();
    Thread hook = new Thread(() -> kill(process));
    Runtime.getRuntime().addShutdownHook(hook);
    Deque<String> tail = new ArrayDeque<>();
    try (BufferedReader reader = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        lines.accept(line);
        tail.add(line);
        if (tail.size() > TAIL) {
          tail.remove();
        }
      }
      int status = process.waitFor();
      if (status != 0) {
        throw new SetupException(
            "%s failed with status %d:%n%s"
                .formatted(String.join(" ", words), status, String.join("\n", tail)));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while running " + words.getFirst(), e);
    } finally {
      kill(process);
      removeHook(hook);
    }
  }

  private static void kill(Process process) {
    process.descendants().forEach(ProcessHandle::destroy);
    process.destroy();
  }

  private static void removeHook(Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException shuttingDown) {
      // Then the hook has run, or is running.
    }
  }
}
