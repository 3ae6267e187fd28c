package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.CompletionRecord;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.fixture.FileKind;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.HugePages;
import dev.peerbar.server.fixture.MemoryFiles;
import dev.peerbar.server.fixture.ServedProgram;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** A server that trusts its client's memory, and what becomes of it. A process of its own. */
@Tag("polled")
@Timeout(240)
@Tag("long")
final class TrustedMemoryTest {
  private static final long SIZE = 4 << 20;
  private static final long SOURCE = 1L << 32;
  private static final long TARGET = 1L << 33;
  private static final long RECORDS = 1L << 34;

  @TempDir private Path directory;
  private ServedProgram program;
  private SocketDevice device;
  private VfioUserClient client;
  private HbmChannel channel;

  @BeforeEach
  void start() throws Exception {
    program = new ServedProgram(directory, 1024, "--trust-memory");
    device = new SocketDevice(program.connect());
    client = device.client();
    channel = Wire.channel(device, 0);
  }

  @AfterEach
  void stop() {
    device.close();
    program.close();
  }

  @ParameterizedTest
  @EnumSource
  void reachesEveryKindOfFile(FileKind kind) throws Exception {
    try (AutoCloseable _ = kind.huge() ? HugePages.withFree(4) : () -> {};
        FileDescriptor source = kind.create(SIZE);
        FileDescriptor target = kind.create(SIZE);
        Mapping from = SharedMemory.map(source, 0, SIZE, SharedMemory.Access.READ_WRITE);
        Mapping to = SharedMemory.map(target, 0, SIZE, SharedMemory.Access.READ_ONLY)) {
      GuestMemory.randomise(from.segment(), 1);
      client.dmaMap(Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.of(source));
      client.dmaMap(Wire.READ_WRITE, 0, TARGET, SIZE, Optional.of(target));
      channel.run(Descriptor.copy(SIZE).from(SOURCE).to(TARGET).interrupt());
      Wire.idle(channel);
      assertThat(to.segment().mismatch(from.segment())).isEqualTo(-1);
    }
    livesOn();
  }

  /**
   * Copies of every size, one of which finds a part of its memory gone: none that is recorded as
   * done lacks a byte, and the process ends with a word about why.
   */
  @ParameterizedTest
  @CsvSource({"8, true", "64, true", "4096, true", "1048576, true", "8, false", "1048576, false"})
  void endsWhenMemoryIsTakenAway(long length, boolean read) throws Exception {
    try (FileDescriptor resizable = MemoryFiles.unsealed(SIZE);
        Mapping memory = SharedMemory.map(resizable, 0, SIZE, SharedMemory.Access.READ_WRITE);
        GuestMemory sealed = new GuestMemory("trusted", SIZE);
        GuestMemory records = new GuestMemory("records", GuestMemory.PAGE)) {
      MemorySegment source = (read ? memory.segment() : sealed.bytes()).asSlice(0, SIZE);
      GuestMemory.randomise(source, 2);
      FileDescriptor from = read ? resizable : sealed.file();
      FileDescriptor to = read ? sealed.file() : resizable;
      client.dmaMap(Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.of(from));
      client.dmaMap(Wire.READ_WRITE, 0, TARGET, SIZE, Optional.of(to));
      client.dmaMap(Wire.READ_WRITE, 0, RECORDS, GuestMemory.PAGE, Optional.of(records.file()));
      // So often that the compiler has been at it.
      int warm = length > 4096 ? 20 : 400;
      for (int round = 0; round < warm; round++) {
        channel.run(Descriptor.copy(length).from(SOURCE).to(TARGET).interrupt());
        Wire.idle(channel);
      }
      long half = SIZE / 2;
      MemoryFiles.resize(resizable, half);
      channel.put(
          Descriptor.copy(length).from(SOURCE).to(TARGET).recordAt(RECORDS).interrupt(),
          Descriptor.copy(length)
              .from(SOURCE + half - length / 2)
              .to(TARGET + half - length / 2)
              .recordAt(RECORDS + CompletionRecord.BYTES)
              .interrupt());
      // The process may end before it replies.
      byte[] tail = Unpooled.buffer(Integer.BYTES).writeIntLE(channel.tail()).array();
      client.regionWritePosted(Wire.REGISTERS, channel.doorbell(), tail);
      assertThat(program.ended()).isEqualTo(EndpointServer.BETRAYED);
      assertThat(program.log().lines().toList().getLast())
          .startsWith("hbm0: ending at once: the client took away memory that --trust-memory");
      assertThat(records.bytes().get(GuestMemory.INT, CompletionRecord.STATUS))
          .as("what was there could be copied")
          .isEqualTo(CompletionRecord.DONE);
      assertThat(
              records
                  .bytes()
                  .get(GuestMemory.INT, CompletionRecord.BYTES + CompletionRecord.STATUS))
          .as("what was not there is not done")
          .isZero();
    }
  }

  @Test
  void neitherEndsNorFaultsForSealedMemory() throws Exception {
    try (GuestMemory source = new GuestMemory("sealed-source", SIZE);
        GuestMemory target = new GuestMemory("sealed-target", SIZE)) {
      client.dmaMap(Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.of(source.randomise(3).file()));
      client.dmaMap(Wire.READ_WRITE, 0, TARGET, SIZE, Optional.of(target.file()));
      channel.run(Descriptor.copy(SIZE).from(SOURCE).to(TARGET).interrupt());
      Wire.idle(channel);
      assertThat(target.bytes().mismatch(source.bytes())).isEqualTo(-1);
    }
    livesOn();
  }

  private void livesOn() throws IOException {
    device.close();
    program.lives();
  }
}
