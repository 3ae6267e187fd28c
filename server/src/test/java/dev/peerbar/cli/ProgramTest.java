package dev.peerbar.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.client.VfioUserClient;
import java.io.BufferedReader;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The program itself, in a process of its own (vfio-user, backend program conventions). */
@Timeout(120)
final class ProgramTest {
  private static final long LIMIT_SECONDS = 60;
  private static final int REGISTERS = 0;
  private static final int CONFIG = 7;

  @TempDir private Path directory;
  private final List<Process> started = new ArrayList<>();

  @AfterEach
  void endWhatIsLeft() {
    started.forEach(Process::destroyForcibly);
  }

  private Process program(String... arguments) throws Exception {
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve(".mvn/program.options"))) {
      root = root.getParent();
    }
    List<String> command = new ArrayList<>();
    command.add(ProcessHandle.current().info().command().orElseThrow());
    command.add("@" + root.resolve(".mvn/program.options"));
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(Main.class.getName());
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(command).redirectError(directory.resolve("stderr.txt").toFile()).start();
    started.add(process);
    return process;
  }

  private static void ready(BufferedReader output, Path socket) throws Exception {
    String line =
        CompletableFuture.supplyAsync(() -> output.lines().findFirst().orElse("end"))
            .get(LIMIT_SECONDS, TimeUnit.SECONDS);
    assertThat(line).isEqualTo("ready " + socket);
  }

  private static int ended(Process process) throws Exception {
    assertThat(process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
    return process.exitValue();
  }

  @Test
  void servesUntilSigterm() throws Exception {
    Path socket = directory.resolve("a.sock");
    Process program = program("serve", "hbm", "--socket-path=" + socket, "--bar-size=1M");
    ready(program.inputReader(), socket);
    program.destroy();
    assertThat(ended(program)).isZero();
    assertThat(socket).doesNotExist();
  }

  @Test
  void servesTheEndpointsOfAFile() throws Exception {
    Path first = directory.resolve("a.sock");
    Path second = directory.resolve("b.sock");
    Path config =
        Files.writeString(
            directory.resolve("two.yaml"),
            """
            endpoints:
              - {type: hbm, socket-path: %s, bar-size: 1M}
              - {type: hbm, socket-path: %s, bar-size: 2M, channels: 1, doorbells: map}
            """
                .formatted(first, second));
    Process program = program("serve", "--config=" + config);
    BufferedReader output = program.inputReader();
    ready(output, first);
    ready(output, second);
    try (VfioUserClient client = connect(second)) {
      assertThat(client.readLong(REGISTERS, 0x10)).isEqualTo(2 << 20);
    }
    program.destroy();
    assertThat(ended(program)).isZero();
    assertThat(first).doesNotExist();
    assertThat(second).doesNotExist();
  }

  private static VfioUserClient connect(Path socket) throws Exception {
    VfioUserClient client = VfioUserClient.connect(socket);
    client.negotiate(Capabilities.DEFAULTS);
    return client;
  }

  @Test
  void endsWithAClientConnectedAndACopyRunning() throws Exception {
    Path socket = directory.resolve("a.sock");
    Process program = program("serve", "hbm", "--socket-path=" + socket, "--bar-size=1M");
    ready(program.inputReader(), socket);
    long size = 256L << 20;
    try (VfioUserClient client = connect(socket);
        FileDescriptor file = SharedMemory.create("program-test", size);
        Mapping memory = SharedMemory.map(file, 0, size, SharedMemory.Access.READ_WRITE)) {
      client.dmaMap(DmaMap.READABLE | DmaMap.WRITEABLE, 0, 0, size, Optional.of(file));
      for (int entry = 0; entry < 31; entry++) {
        fill(memory, entry * 64L, 4096, size - 4096);
      }
      client.regionWrite(CONFIG, 4, new byte[] {6, 0});
      client.writeInt(REGISTERS, 0x1010, 32);
      client.writeInt(REGISTERS, 0x1000, 1);
      client.writeInt(REGISTERS, 0x8000, 31);
      assertThat(client.readInt(REGISTERS, 0x1004)).as("running").isOne();
      program.destroy();
      assertThat(ended(program)).isZero();
      assertThat(client.awaitEnd(Duration.ofSeconds(LIMIT_SECONDS))).isTrue();
    }
    assertThat(socket).doesNotExist();
  }

  /** A FILL in a ring at IOVA 0. */
  private static void fill(Mapping memory, long at, long to, long length) {
    memory.segment().set(ValueLayout.JAVA_INT, at, 2);
    memory.segment().set(ValueLayout.JAVA_LONG, at + 16, to);
    memory.segment().set(ValueLayout.JAVA_LONG, at + 24, length);
    memory.segment().set(ValueLayout.JAVA_LONG, at + 40, 0x5a5a_5a5aL);
  }

  @Test
  void exitsWithOneIfItCannotServe() throws Exception {
    Path file = Files.writeString(directory.resolve("file"), "data");
    Process program = program("serve", "hbm", "--socket-path=" + file);
    assertThat(ended(program)).isEqualTo(1);
    assertThat(program.inputReader().readLine()).isNull();
    assertThat(Files.readString(directory.resolve("stderr.txt"))).contains("peerbar: " + file);
  }

  @Test
  void aSecondProgramLeavesTheFirstAlone() throws Exception {
    Path socket = directory.resolve("a.sock");
    Process first = program("serve", "hbm", "--socket-path=" + socket, "--bar-size=1M");
    ready(first.inputReader(), socket);
    assertThat(ended(program("serve", "hbm", "--socket-path=" + socket))).isEqualTo(1);
    try (VfioUserClient client = connect(socket)) {
      assertThat(client.readInt(REGISTERS, 0)).isEqualTo(0x4d42_4850);
    }
    first.destroy();
    assertThat(ended(first)).isZero();
  }
}
