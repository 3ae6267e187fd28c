package dev.peerbar.lab.qemu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A running QEMU. It never outlives this process: closing it ends it, within bounds and in the end
 * by force, and so does the JVM's shutdown.
 */
public final class Qemu implements AutoCloseable {
  /** What QEMU itself printed, in the log directory. */
  public static final String QEMU_LOG = "qemu.log";

  /** What the guest printed on its serial port. */
  public static final String CONSOLE_LOG = "console.log";

  /** QEMU's command line, in the directory of a guest's logs. */
  public static final String COMMAND_LOG = "qemu.args";

  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final Duration FAREWELL = Duration.ofSeconds(2);

  /** Lines of its log that are told; before them are warnings. */
  private static final int MOST_SAID = 3;

  /** A command whose answer nobody reads. */
  private static final String NOTHING_MUCH = "query-status";

  private static final String PANIC = "Kernel panic";
  private static final String AGENT_ERROR = "peerbar agent: error";
  private static final Duration RETRY = Duration.ofMillis(20);

  private final Process process;
  private final Path run;
  private final Path logs;
  private final Thread hook;

  /** The connection that was made last, open or not. */
  private Qmp monitor;

  private Qemu(Process process, Path run, Path logs) {
    this.process = process;
    this.run = run;
    this.logs = logs;
    hook = new Thread(this::kill, "qemu-killer");
    Runtime.getRuntime().addShutdownHook(hook);
  }

  // At the JVM's shutdown nothing else may get to remove the sockets.
  private void kill() {
    process.destroyForcibly();
    waitFor(PATIENCE);
    try (Stream<Path> sockets = Files.list(run)) {
      for (Path socket : sockets.toList()) {
        Files.deleteIfExists(socket);
      }
      Files.deleteIfExists(run);
    } catch (IOException notMuchToDo) {
      // Leftovers in the temporary directory do no harm.
    }
  }

  /**
   * Starts QEMU.
   *
   * @param interactive whether its standard input and output are this process's
   * @param run directory of its sockets and of nothing else; removed if the JVM ends before this
   *     does
   * @param logs directory of its logs
   */
  public static Qemu start(
      List<String> commandLine,
      Map<String, String> environment,
      boolean interactive,
      Path run,
      Path logs)
      throws IOException {
    Files.createDirectories(logs);
    Files.writeString(
        logs.resolve(COMMAND_LOG), ShellWords.commandLine(environment, commandLine) + "\n");
    ProcessBuilder builder =
        new ProcessBuilder(commandLine).redirectError(logs.resolve(QEMU_LOG).toFile());
    builder.environment().putAll(environment);
    if (interactive) {
      builder
          .redirectInput(ProcessBuilder.Redirect.INHERIT)
          .redirectOutput(ProcessBuilder.Redirect.INHERIT);
    } else {
      builder
          .redirectInput(Path.of("/dev/null").toFile())
          .redirectOutput(ProcessBuilder.Redirect.DISCARD);
    }
    Process process = builder.start();
    try {
      return new Qemu(process, run, logs);
    } catch (IllegalStateException e) {
      // There is no hook any more that would end it.
      process.destroyForcibly();
      throw new IOException("QEMU is not started while the program ends", e);
    }
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  public long pid() {
    return process.pid();
  }

  /** Where the guest agent's port is. */
  public Path agentSocket() {
    return run.resolve("agent.sock");
  }

  public Path logs() {
    return logs;
  }

  /** Connects to the monitor, of which there is one connection at a time. */
  public synchronized Qmp monitor() throws IOException {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      try {
        monitor = Qmp.connect(run.resolve("qmp.sock"));
        return monitor;
      } catch (IOException e) {
        if (!isAlive() || System.nanoTime() >= end) {
          throw new IOException("no monitor: " + e.getMessage(), e);
        }
      }
      pause();
    }
  }

  /**
   * What it has printed from an offset on, with all that its main loop had to say when this was
   * called: that answers its monitor in between.
   *
   * @param from in bytes
   * @param to in bytes; or empty for all so far
   */
  public String said(long from, Optional<Long> to) throws IOException {
    settle();
    byte[] log = Files.readAllBytes(logs.resolve(QEMU_LOG));
    int end = (int) Math.min(to.orElse(Long.MAX_VALUE), log.length);
    int start = (int) Math.min(from, end);
    return new String(log, start, end - start, StandardCharsets.UTF_8);
  }

  /** How much it has printed, in bytes: where {@link #said} is to begin later. */
  public long saidSoFar() throws IOException {
    settle();
    return Files.size(logs.resolve(QEMU_LOG));
  }

  private synchronized void settle() throws IOException {
    try {
      if (monitor != null && monitor.isOpen()) {
        monitor.execute(NOTHING_MUCH);
      } else if (isAlive()) {
        try (Qmp own = monitor()) {
          own.execute(NOTHING_MUCH);
        }
      }
    } catch (IOException e) {
      // One that ends closes its monitor a moment before, and has nothing more to say.
      if (!waitFor(PATIENCE)) {
        throw e;
      }
    }
  }

  private static void pause() throws IOException {
    try {
      Thread.sleep(RETRY);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while waiting for QEMU", e);
    }
  }

  /**
   * Why the guest cannot be reached.
   *
   * @param seen what came of trying
   * @return if QEMU has ended, or does so soon, what it had to say about that; or else what the
   *     guest's kernel did
   */
  public IOException unreachable(IOException seen) throws IOException {
    // Its sockets close a moment before it is gone.
    if (waitFor(PATIENCE)) {
      return new QemuEndedException(
          "QEMU ended with status %d before the guest was up: %s"
              .formatted(process.exitValue(), said()),
          process.exitValue(),
          seen);
    }
    return new IOException(seen.getMessage() + "; " + consoleEnd(), seen);
  }

  /** Whether it has ended, or does so within two seconds. */
  public boolean hasEnded() {
    return waitFor(FAREWELL);
  }

  /** How it ended, in a sentence. */
  public String end() throws IOException {
    return "QEMU ended with status %d: %s".formatted(process.exitValue(), said());
  }

  private String said() throws IOException {
    String said = lastLines(Files.readString(logs.resolve(QEMU_LOG)));
    return said.isEmpty() ? consoleEnd() : said;
  }

  private String consoleEnd() throws IOException {
    return "the guest's console ends with: " + lastWords();
  }

  private static String lastLines(String log) {
    List<String> lines = log.lines().map(String::strip).filter(l -> !l.isEmpty()).toList();
    return String.join("; ", lines.subList(Math.max(0, lines.size() - MOST_SAID), lines.size()));
  }

  /**
   * Of a kernel that gave up the reason, which a trace follows, then what the agent had to say, or
   * else the last line.
   */
  private String lastWords() throws IOException {
    List<String> lines = console().stream().map(String::strip).filter(l -> !l.isEmpty()).toList();
    return Stream.of(PANIC, AGENT_ERROR)
        .flatMap(words -> lines.stream().filter(l -> l.contains(words)))
        .findFirst()
        .orElse(lines.isEmpty() ? "nothing" : lines.getLast());
  }

  /** The lines of the guest's console so far. */
  public List<String> console() throws IOException {
    Path console = logs.resolve(CONSOLE_LOG);
    // It may carry bytes that are no UTF-8.
    return Files.exists(console)
        ? Files.readString(console, StandardCharsets.ISO_8859_1).lines().toList()
        : List.of();
  }

  /** Waits for QEMU to end by itself, as it does when the guest turns itself off. */
  public boolean awaitEnd(Duration limit) {
    return waitFor(limit);
  }

  /** Ends it: by its monitor, then SIGTERM, then SIGKILL. */
  @Override
  public void close() {
    try {
      if (isAlive() && !quit()) {
        process.destroy();
        if (!waitFor(PATIENCE)) {
          process.destroyForcibly();
          waitFor(PATIENCE);
        }
      }
    } finally {
      if (isAlive()) {
        process.destroyForcibly();
      }
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException shuttingDown) {
        // Then the hook has run, or is running.
      }
    }
  }

  private boolean quit() {
    try (Qmp last = monitor()) {
      last.execute("quit");
    } catch (IOException alreadyGone) {
      // It may end before it answers, or hang; the wait tells.
    }
    return waitFor(PATIENCE);
  }

  private boolean waitFor(Duration limit) {
    boolean interrupted = false;
    long end = System.nanoTime() + limit.toNanos();
    try {
      while (true) {
        try {
          return process.waitFor(Math.max(0, end - System.nanoTime()), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
          // Ending QEMU matters more than ending soon; the limit holds anyway.
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
