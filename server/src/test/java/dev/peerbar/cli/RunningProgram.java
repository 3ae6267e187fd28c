package dev.peerbar.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** The program in a process of its own, started as the launcher starts it. */
public final class RunningProgram implements AutoCloseable {
  private static final long LIMIT_SECONDS = 60;

  private final Process process;
  private final BufferedReader output;
  private final Path errors;

  private RunningProgram(Process process, Path errors) {
    this.process = process;
    this.output = process.inputReader();
    this.errors = errors;
  }

  /**
   * Starts it.
   *
   * @param directory for its standard error
   */
  public static RunningProgram start(Path directory, String... arguments) throws IOException {
    return start(directory, List.of(), List.of(), arguments);
  }

  /**
   * Starts it otherwise.
   *
   * @param directory for its standard error
   * @param wrapper a command that becomes the one that follows; may be empty
   * @param options of the JVM, beside the usual ones
   */
  public static RunningProgram start(
      Path directory, List<String> wrapper, List<String> options, String... arguments)
      throws IOException {
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve(".mvn/program.options"))) {
      root = root.getParent();
    }
    List<String> command = new ArrayList<>(wrapper);
    command.add(ProcessHandle.current().info().command().orElseThrow());
    command.add("@" + root.resolve(".mvn/program.options"));
    command.addAll(options);
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(Main.class.getName());
    command.addAll(List.of(arguments));
    Path errors = directory.resolve("stderr.txt");
    return new RunningProgram(
        new ProcessBuilder(command).redirectError(errors.toFile()).start(), errors);
  }

  /** Waits until it says that it serves there. */
  public void ready(Path socket) throws Exception {
    String line =
        CompletableFuture.supplyAsync(() -> output.lines().findFirst().orElse("the end"))
            .get(LIMIT_SECONDS, TimeUnit.SECONDS);
    assertThat(line).isEqualTo("ready " + socket);
  }

  /** Tells it to stop. */
  public void terminate() {
    process.destroy();
  }

  /** Waits for its end. Returns its exit status. */
  public int ended() throws InterruptedException {
    assertThat(process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)).as("it has ended").isTrue();
    return process.exitValue();
  }

  public Process process() {
    return process;
  }

  /** What it wrote to standard error. */
  public String errors() throws IOException {
    return Files.readString(errors);
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
