package dev.peerbar.bench.rig;

import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.cli.Main;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.client.VfioUserClient;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** A process of its own that serves HBM endpoints of one channel each: {@code peerbar serve}. */
public final class ServingProcess implements AutoCloseable {
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);

  private static final String CONFIG = "endpoints.yaml";

  private final Path folder;
  private final List<Path> sockets;
  private final Process process;

  private ServingProcess(Path folder, List<Path> sockets, Process process) {
    this.folder = folder;
    this.sockets = sockets;
    this.process = process;
    // This process may be told to end while it measures.
    Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
  }

  /**
   * Starts one, in a JVM like this one, on the processors of the calling thread. When it returns
   * clients can connect.
   *
   * @param barSize of each endpoint's memory, in bytes
   */
  public static ServingProcess start(int endpoints, long barSize)
      throws IOException, BenchmarkException {
    Path folder = Files.createTempDirectory("peerbar-bench");
    List<Path> sockets =
        IntStream.range(0, endpoints).mapToObj(i -> folder.resolve(i + ".sock")).toList();
    Path config = folder.resolve(CONFIG);
    Files.writeString(config, yaml(sockets, barSize));
    ServingProcess serving =
        new ServingProcess(
            folder,
            sockets,
            new ProcessBuilder(command(config))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start());
    try {
      serving.awaitReady();
    } catch (IOException | BenchmarkException e) {
      serving.close();
      throw e;
    }
    return serving;
  }

  private static String yaml(List<Path> sockets, long barSize) {
    return sockets.stream()
        .map(socket ->
            "  - {type: hbm, socket-path: %s, bar-size: %d, channels: 1}\n"
                .formatted(socket, barSize))
        .collect(Collectors.joining("", "endpoints:\n", ""));
  }

  private static List<String> command(Path config) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(List.of("-Dpeerbar.log=WARN", "-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(Main.class.getName(), "serve", "--config", config.toString()));
    return command;
  }

  private void awaitReady() throws IOException, BenchmarkException {
    BufferedReader out = process.inputReader();
    for (int ready = 0; ready < sockets.size(); ready++) {
      if (out.readLine() == null) {
        throw new BenchmarkException(
            "A server of %d endpoints did not start.".formatted(sockets.size()));
      }
    }
  }

  /** A bare connection to an endpoint, on which the version is agreed on. */
  public Messenger connectBare(int endpoint) throws IOException {
    return Messenger.agreed(UnixSocket.connect(sockets.get(endpoint), CONNECT_TIMEOUT), 0);
  }

  /** A client of an endpoint, that has not agreed on a version. */
  public VfioUserClient connect(int endpoint) throws IOException {
    return VfioUserClient.connect(sockets.get(endpoint));
  }

  /** Has it stand still until {@link #thaw}. */
  public void freeze() throws IOException, InterruptedException {
    signal("STOP");
  }

  /** Has it go on. */
  public void thaw() throws IOException, InterruptedException {
    signal("CONT");
  }

  private void signal(String name) throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-s", name, Long.toString(process.pid())).start().waitFor();
  }

  /** Kills it: it may be frozen, or have much to do. */
  @Override
  public void close() throws IOException {
    process.destroyForcibly();
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    for (Path socket : sockets) {
      Files.deleteIfExists(socket);
    }
    Files.delete(folder.resolve(CONFIG));
    Files.delete(folder);
  }
}
