package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.cli.RunningProgram;
import dev.peerbar.protocol.client.VfioUserClient;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The program in a process of its own, serving an HBM endpoint: what kills it shows. */
final class ServedProgram implements AutoCloseable {
  private final Path socket;
  private final RunningProgram program;

  /**
   * Starts it and waits until it serves.
   *
   * @param descriptors the most that it may have open
   * @param more options of the endpoint
   */
  ServedProgram(Path directory, int descriptors, String... more) throws Exception {
    socket = directory.resolve("program.sock");
    program =
        RunningProgram.start(
            directory,
            List.of(
                "/bin/sh", "-c", "ulimit -n " + descriptors + "; ulimit -c 0; exec \"$@\"", "sh"),
            List.of(
                "-XX:ErrorFile=" + directory.resolve("crash.log"),
                // Not what tests have: what it logs to people.
                "-Dlogback.configurationFile=logback.xml"),
            Stream.concat(
                    Stream.of("serve", "hbm", "--socket-path=" + socket, "--bar-size=1M"),
                    Stream.of(more))
                .toArray(String[]::new));
    program.ready(socket);
  }

  Path socket() {
    return socket;
  }

  long pid() {
    return program.process().pid();
  }

  long loggedLines() throws IOException {
    return program.errors().lines().count();
  }

  VfioUserClient connect() throws IOException {
    VfioUserClient client = VfioUserClient.connect(socket);
    client.setTimeout(Wire.LIMIT);
    client.negotiate(Wire.capabilities());
    return client;
  }

  /** It has not died, and serves. */
  void lives() throws IOException {
    assertThat(program.process().isAlive()).as("the server lives").isTrue();
    try (VfioUserClient client = connect()) {
      assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
    }
  }

  /** Waits for its end. Returns its exit status. */
  int ended() throws InterruptedException {
    return program.ended();
  }

  /** What it logged. */
  String log() throws IOException {
    return program.errors();
  }

  @Override
  public void close() {
    program.close();
  }
}
