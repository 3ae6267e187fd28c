package dev.peerbar.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.driver.socket.SocketDevice.Access;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.Twins;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.fixture.WithheldMemory;
import java.io.RandomAccessFile;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The program itself, in a process of its own (vfio-user, backend program conventions). */
@Timeout(120)
final class ProgramTest {
  private static final long LIMIT_SECONDS = 60;
  private static final int REGISTERS = 0;
  private static final int CONFIG = 7;

  @TempDir private Path directory;
  private final List<RunningProgram> started = new ArrayList<>();

  @AfterEach
  void endWhatIsLeft() {
    started.forEach(RunningProgram::close);
  }

  private RunningProgram program(String... arguments) throws Exception {
    RunningProgram program = RunningProgram.start(directory, arguments);
    started.add(program);
    return program;
  }

  @Test
  void servesUntilSigterm() throws Exception {
    Path socket = directory.resolve("a.sock");
    RunningProgram program = program("serve", "hbm", "--socket-path=" + socket, "--bar-size=1M");
    program.ready(socket);
    program.terminate();
    assertThat(program.ended()).isZero();
    assertThat(socket).doesNotExist();
  }

  @Test
  void servesAndStopsThoughNobodyReadsItsLog() throws Exception {
    Path pipe = directory.resolve("log");
    assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor()).isZero();
    Path socket = directory.resolve("a.sock");
    // Open for reading as well, by somebody who never does.
    try (RandomAccessFile reader = new RandomAccessFile(pipe.toFile(), "rw")) {
      assertThat(reader.getFD().valid()).isTrue();
      RunningProgram program =
          RunningProgram.start(
              directory,
              List.of(
                  "/bin/sh",
                  "-c",
                  "dd if=/dev/zero of=%1$s bs=4096 oflag=nonblock 2>/dev/null; exec \"$@\" 2>%1$s"
                      .formatted(pipe),
                  "sh"),
              List.of("-Dlogback.configurationFile=logback.xml"),
              "serve",
              "hbm",
              "--socket-path=" + socket,
              "--bar-size=1M");
      started.add(program);
      program.ready(socket);
      // Each is a line at least.
      for (int i = 0; i < 20; i++) {
        try (VfioUserClient client = connect(socket)) {
          client.setTimeout(Duration.ofSeconds(LIMIT_SECONDS));
          client.reset();
          assertThat(client.readInt(REGISTERS, 0)).isEqualTo(0x4d42_4850);
        }
      }
      program.terminate();
      assertThat(program.ended()).isZero();
      assertThat(socket).doesNotExist();
    }
  }

  @Test
  void writesItsLastLinesBeforeItStops() throws Exception {
    Path socket = directory.resolve("a.sock");
    RunningProgram program =
        RunningProgram.start(
            directory,
            List.of(),
            List.of("-Dlogback.configurationFile=logback.xml"),
            "serve",
            "hbm",
            "--socket-path=" + socket,
            "--bar-size=1M");
    started.add(program);
    program.ready(socket);
    program.terminate();
    assertThat(program.ended()).isZero();
    assertThat(program.errors()).endsWith("EndpointServer: hbm0: stopped\n");
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
              - {type: hbm, socket-path: %s, bar-size: 2M, channels: 1, doorbells: map,
                 socket-mode: 0660, allow-uid: [0, 1000, 65534], busy-poll: true}
            """
                .formatted(first, second));
    RunningProgram program = program("serve", "--config=" + config);
    program.ready(first);
    program.ready(second);
    assertThat(permissions(first)).isEqualTo("rw-------");
    assertThat(permissions(second)).isEqualTo("rw-rw----");
    try (VfioUserClient client = connect(second)) {
      assertThat(client.readLong(REGISTERS, 0x10)).isEqualTo(2 << 20);
    }
    program.terminate();
    assertThat(program.ended()).isZero();
    assertThat(first).doesNotExist();
    assertThat(second).doesNotExist();
  }

  private static String permissions(Path socket) throws Exception {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(socket));
  }

  @Test
  void looksForMessagesBeforeItSleeps() throws Exception {
    Path socket = directory.resolve("a.sock");
    RunningProgram program = program("serve", "hbm", "--socket-path=" + socket, "--busy-poll");
    program.ready(socket);
    try (VfioUserClient client = connect(socket)) {
      for (int value = 0; value < 1000; value++) {
        client.writeInt(REGISTERS, 0x1c, value);
        assertThat(client.readInt(REGISTERS, 0x1c)).isEqualTo(value);
      }
    }
    program.terminate();
    assertThat(program.ended()).isZero();
  }

  @ParameterizedTest
  @ValueSource(strings = {"--poll", "--poll --poll-idle=1ms"})
  void looksForDoorbellsWithoutSleep(String options) throws Exception {
    Path socket = directory.resolve("a.sock");
    RunningProgram program =
        program(
            Stream.concat(
                    Stream.of(
                        "serve",
                        "hbm",
                        "--socket-path=" + socket,
                        "--bar-size=1M",
                        "--doorbells=map"),
                    Stream.of(options.split(" ")))
                .toArray(String[]::new));
    program.ready(socket);
    try (SocketDevice device = new SocketDevice(connect(socket))) {
      HbmChannel channel = Wire.channel(device.accessBar(REGISTERS, Access.SHARED), 0);
      DmaRange memory = device.allocate(8192);
      memory.fill(0, 4096, (byte) 7);
      for (int time = 0; time < 100; time++) {
        memory.fill(4096, 4096, (byte) 0);
        channel.run(Descriptor.copy(4096).from(memory.iova()).to(memory.iova() + 4096).interrupt());
        assertThat(memory.read(4096, 4096)).containsOnly(7);
      }
    }
    program.terminate();
    assertThat(program.ended()).isZero();
  }

  @Test
  void asksWhoConnects() throws Exception {
    Path open = directory.resolve("a.sock");
    RunningProgram program =
        program(
            "serve",
            "hbm",
            "--socket-path=" + open,
            "--socket-mode=0666",
            "--allow-uid=4000000000");
    program.ready(open);
    assertThat(permissions(open)).isEqualTo("rw-rw-rw-");
    try (VfioUserClient client = VfioUserClient.connect(open)) {
      assertThat(client.awaitEnd(Duration.ofSeconds(LIMIT_SECONDS))).isTrue();
    }
  }

  private static VfioUserClient connect(Path socket) throws Exception {
    VfioUserClient client = VfioUserClient.connect(socket);
    client.negotiate(Capabilities.DEFAULTS);
    return client;
  }

  @Test
  void endsWithAClientConnectedAndACopyRunning() throws Exception {
    Path socket = directory.resolve("a.sock");
    RunningProgram program = program("serve", "hbm", "--socket-path=" + socket, "--bar-size=1M");
    program.ready(socket);
    long size = 256L << 20;
    final long far = 1L << 40;
    VfioUserClient twinned = VfioUserClient.connect(socket);
    twinned.negotiate(Twins.capabilities(8, true));
    WithheldMemory withheld = new WithheldMemory(twinned.memory());
    twinned.serveDma(withheld);
    try (VfioUserClient client = twinned;
        FileDescriptor file = SharedMemory.create("program-test", size);
        Mapping memory = SharedMemory.map(file, 0, size, SharedMemory.Access.READ_WRITE)) {
      client.dmaMap(DmaMap.READABLE | DmaMap.WRITEABLE, 0, 0, size, Optional.of(file));
      client.dmaMap(DmaMap.READABLE | DmaMap.WRITEABLE, 0, far, 4096, Optional.empty());
      // The last one is surely not complete.
      for (int entry = 0; entry < 30; entry++) {
        fill(memory, entry * 64L, 4096, size - 4096);
      }
      fill(memory, 30 * 64L, far, 4096);
      client.regionWrite(CONFIG, 4, new byte[] {6, 0});
      client.writeInt(REGISTERS, 0x1010, 32);
      client.writeInt(REGISTERS, 0x1000, 1);
      client.writeInt(REGISTERS, 0x8000, 31);
      assertThat(client.readInt(REGISTERS, 0x1004)).as("running").isOne();
      program.terminate();
      assertThat(program.ended()).isZero();
      assertThat(client.awaitEnd(Duration.ofSeconds(LIMIT_SECONDS))).isTrue();
      withheld.letGo();
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
    RunningProgram program = program("serve", "hbm", "--socket-path=" + file);
    assertThat(program.ended()).isEqualTo(1);
    assertThat(program.process().inputReader().readLine()).isNull();
    assertThat(program.errors()).contains("peerbar: " + file);
  }

  @Test
  void aSecondProgramLeavesTheFirstAlone() throws Exception {
    Path socket = directory.resolve("a.sock");
    RunningProgram first = program("serve", "hbm", "--socket-path=" + socket, "--bar-size=1M");
    first.ready(socket);
    assertThat(program("serve", "hbm", "--socket-path=" + socket).ended()).isEqualTo(1);
    try (VfioUserClient client = connect(socket)) {
      assertThat(client.readInt(REGISTERS, 0)).isEqualTo(0x4d42_4850);
    }
    first.terminate();
    assertThat(first.ended()).isZero();
  }
}
