package dev.peerbar.bench.start;

import dev.peerbar.bench.harness.BenchmarkException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** A program in a process of its own, from its start until it says that it is ready. */
final class StartedProgram implements AutoCloseable {
  private static final double NANOS_PER_MILLI = 1e6;
  private static final double KIB_PER_MIB = 1024;

  // Of /proc/PID/stat, counted from behind the name (proc(5)).
  private static final int USER_TIME = 11;
  private static final int SYSTEM_TIME = 12;

  /** Idle is who has not run for so long: the JVM's compilers finish what they have begun. */
  private static final Duration IDLE = Duration.ofMillis(300);

  private static final int MOST_WAITS = 40;

  private final Process process;
  private final double millis;

  /**
   * What a process has in memory, in MiB: VmRSS, and the anonymous part of it.
   *
   * @param resident VmRSS of /proc/PID/status
   * @param anonymous RssAnon; the rest is files, shared with all who map them
   */
  record Memory(double resident, double anonymous) {}

  private StartedProgram(Process process, double millis) {
    this.process = process;
    this.millis = millis;
  }

  /** Starts one and waits for a line that begins with {@code ready}. */
  static StartedProgram start(List<String> command) throws IOException, BenchmarkException {
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
    long begin = System.nanoTime();
    Process process = builder.start();
    BufferedReader out = process.inputReader();
    String line = out.readLine();
    double millis = (System.nanoTime() - begin) / NANOS_PER_MILLI;
    if (line == null || !line.startsWith("ready")) {
      process.destroyForcibly();
      throw new BenchmarkException("%s was not ready but said: %s".formatted(command, line));
    }
    return new StartedProgram(process, millis);
  }

  /** From before the process was made until it was ready, in milliseconds. */
  double millis() {
    return millis;
  }

  /** What it has in memory once it is idle. */
  Memory memory() throws IOException, InterruptedException {
    long before = -1;
    for (int wait = 0; wait < MOST_WAITS && before != time(); wait++) {
      before = time();
      Thread.sleep(IDLE);
    }
    return new Memory(status("VmRSS"), status("RssAnon"));
  }

  /** Processor time, in ticks. */
  private long time() throws IOException {
    String stat = Files.readString(file("stat"));
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    return Long.parseLong(fields[USER_TIME]) + Long.parseLong(fields[SYSTEM_TIME]);
  }

  private double status(String name) throws IOException {
    return Files.readAllLines(file("status")).stream()
            .filter(line -> line.startsWith(name + ":"))
            .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
            .findFirst()
            .orElseThrow()
        / KIB_PER_MIB;
  }

  private Path file(String name) {
    return Path.of("/proc", Long.toString(process.pid()), name);
  }

  /** Tells it to stop, and waits for its end. */
  @Override
  public void close() {
    process.destroy();
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
