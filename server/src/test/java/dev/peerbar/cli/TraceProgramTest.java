package dev.peerbar.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.Trace;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code serve --trace} of the program in a process of its own. */
@Timeout(180)
final class TraceProgramTest {
  private static final long LIMIT_SECONDS = 60;
  private static final int REGISTERS = 0;
  private static final int CONFIG = 7;
  private static final int READS = 2000;
  private static final int SIGKILLED = 128 + 9;
  private static final long SIZE = 1 << 20;

  @TempDir private Path directory;
  private final List<RunningProgram> started = new ArrayList<>();

  @AfterEach
  void endWhatIsLeft() {
    started.forEach(RunningProgram::close);
  }

  private Path trace() {
    return directory.resolve("trace.json");
  }

  private RunningProgram program(String... arguments) throws Exception {
    RunningProgram program =
        RunningProgram.start(
            directory,
            List.of(),
            // As it is outside of tests.
            List.of("-Dlogback.configurationFile=logback.xml"),
            arguments);
    started.add(program);
    return program;
  }

  private static VfioUserClient connect(Path socket) throws Exception {
    VfioUserClient client = VfioUserClient.connect(socket);
    client.negotiate(Capabilities.DEFAULTS);
    return client;
  }

  private static void read(VfioUserClient client, int times) throws IOException {
    for (int i = 0; i < times; i++) {
      client.readLong(REGISTERS, 0x10);
    }
  }

  /** Has a channel copy from the memory of the client into that of the endpoint. */
  private static void copy(VfioUserClient client) throws Exception {
    try (FileDescriptor file = SharedMemory.create("trace-test", SIZE);
        Mapping memory = SharedMemory.map(file, 0, SIZE, SharedMemory.Access.READ_WRITE)) {
      client.dmaMap(DmaMap.READABLE | DmaMap.WRITEABLE, 0, 0, SIZE, Optional.of(file));
      final int toBar = 1 << 3;
      memory.segment().set(ValueLayout.JAVA_INT, 0, 1);
      memory.segment().set(ValueLayout.JAVA_INT, 4, toBar);
      memory.segment().set(ValueLayout.JAVA_LONG, 24, SIZE);
      client.regionWrite(CONFIG, 4, new byte[] {6, 0});
      client.writeInt(REGISTERS, 0x1010, 32);
      client.writeInt(REGISTERS, 0x1000, 1);
      client.writeInt(REGISTERS, 0x8000, 1);
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
      while (client.readInt(REGISTERS, 0x1014) != 1) {
        assertThat(System.nanoTime()).as("HEAD").isLessThan(deadline);
        Thread.sleep(1);
      }
    }
  }

  @Test
  void nothingIsLostWhenTheProgramIsToldToStop() throws Exception {
    Path first = directory.resolve("a.sock");
    Path second = directory.resolve("b.sock");
    Path config =
        Files.writeString(
            directory.resolve("two.yaml"),
            """
            endpoints:
              - {type: hbm, socket-path: %s, bar-size: 1M}
              - {type: hbm, socket-path: %s, bar-size: 1M}
            """
                .formatted(first, second));
    RunningProgram program = program("serve", "--config=" + config, "--trace=" + trace());
    program.ready(first);
    program.ready(second);
    try (VfioUserClient one = connect(first);
        VfioUserClient two = connect(second)) {
      copy(one);
      one.reset();
      read(two, READS);
      program.terminate();
      assertThat(program.ended()).isZero();
    }
    Trace seen = Trace.ended(trace());
    assertThat(seen.processes()).containsExactly("hbm0", "hbm1");
    assertThat(seen.tracks("hbm0")).containsExactly("channel-0", "requests");
    assertThat(seen.tracks("hbm1")).containsExactly("requests");
    assertThat(seen.events("hbm1", "requests", "REGION_READ")).hasSize(READS);
    assertThat(seen.events("hbm1", "requests", "VERSION")).hasSize(1);
    assertThat(seen.events("hbm1", "requests", "")).hasSize(READS + 1);
    assertThat(seen.events("hbm0", "requests", "DMA_MAP")).hasSize(1);
    assertThat(seen.events("hbm0", "requests", "REGION_WRITE")).hasSize(4);
    assertThat(seen.events("hbm0", "requests", "reset BUS_OR_DEVICE")).hasSize(1);
    assertThat(seen.events("hbm0", "channel-0", "READ"))
        .anyMatch(event -> event.get("args").get("bytes moved").longValue() == SIZE);
  }

  @Test
  void whatIsTracedCanBeReadAfterSigkill() throws Exception {
    Path socket = directory.resolve("a.sock");
    RunningProgram program =
        program("serve", "hbm", "--socket-path=" + socket, "--bar-size=1M", "--trace=" + trace());
    program.ready(socket);
    try (VfioUserClient client = connect(socket)) {
      read(client, READS);
      // It lags behind by a moment, not by how full some buffer is.
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
      while (Files.readString(trace()).lines().filter(l -> l.contains("REGION_READ")).count()
          < READS) {
        assertThat(System.nanoTime()).as("the events").isLessThan(deadline);
        Thread.sleep(10);
      }
      program.process().destroyForcibly();
      assertThat(program.ended()).isEqualTo(SIGKILLED);
    }
    assertThat(Trace.cutShort(trace()).events("hbm0", "requests", "REGION_READ")).hasSize(READS);
  }

  @Test
  void aFullDiskDoesNotHarmServing() throws Exception {
    Path socket = directory.resolve("a.sock");
    RunningProgram program =
        program("serve", "hbm", "--socket-path=" + socket, "--bar-size=1M", "--trace=/dev/full");
    program.ready(socket);
    Path errors = directory.resolve("stderr.txt");
    try (VfioUserClient client = connect(socket)) {
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
      while (!Files.readString(errors).contains("tracing to /dev/full ends here")) {
        assertThat(System.nanoTime()).as("the warning").isLessThan(deadline);
        read(client, 1);
      }
      read(client, READS);
      program.terminate();
      assertThat(program.ended()).isZero();
    }
    assertThat(Files.readString(errors).lines().filter(line -> line.contains("WARN"))).hasSize(1);
  }

  @Test
  void aFileThatCannotBeWrittenIsSaidBeforeServing() throws Exception {
    Path socket = directory.resolve("a.sock");
    Path missing = directory.resolve("missing/trace.json");
    RunningProgram program =
        program("serve", "hbm", "--socket-path=" + socket, "--trace=" + missing);
    assertThat(program.ended()).isEqualTo(1);
    assertThat(program.process().inputReader().readLine()).isNull();
    assertThat(program.errors())
        .isEqualTo(
            "peerbar: the trace %s cannot be written: there is no such folder%n"
                .formatted(missing));
    assertThat(socket).doesNotExist();
  }
}
