package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.pci.ConfigLayout.Express;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.DmaUnmap;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.MemoryFiles;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.Unpooled;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Client memory on a disk that does not answer: who waits for it, and who does not. */
@Tag("polled")
@Timeout(240)
final class SlowMemoryTest {
  private static final long SIZE = 1 << 20;
  private static final long SOURCE = 1L << 32;
  private static final long TARGET = 1L << 33;
  private static final long CHANNEL_CONTROL = 0x1000;
  private static final byte CANARY = 0x5a;
  private static final int OPERATIONS = 100;

  private enum Revocation {
    UNMAP,
    DEVICE_RESET,
    FUNCTION_LEVEL_RESET,
    BUS_MASTER_OFF,
    CHANNEL_OFF
  }

  @TempDir private Path directory;
  // Longer than the test: a step that nobody waits for may end after it.
  private final MemorySegment disk = Arena.ofAuto().allocate(SIZE).fill(CANARY);
  private Wire wire;
  private VfioUserClient client;
  private HbmChannel channel;
  private WaitingFiles files;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.connected(directory);
    client = wire.client();
    channel = wire.channel(0);
    client.dmaMap(
        Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.of(wire.memory(SIZE).randomise(1).file()));
    files = WaitingFiles.install(wire.server().function().bus(), disk);
    mapSlow();
  }

  private void mapSlow() throws Exception {
    try (FileDescriptor file = MemoryFiles.unsealed(SIZE)) {
      client.dmaMap(Wire.READ_WRITE, 0, TARGET, SIZE, Optional.of(file));
    }
  }

  @AfterEach
  void stop() {
    files.letGo();
    if (wire != null) {
      wire.close();
    }
    assertThat(files.open()).as("files left open").isZero();
  }

  private CompletableFuture<Frame> send(Revocation revocation) throws Exception {
    return switch (revocation) {
      case UNMAP -> client.submit(Command.DMA_UNMAP, new DmaUnmap.Request(24, 0, TARGET, SIZE));
      case DEVICE_RESET -> client.submit(Command.DEVICE_RESET, new DeviceReset.Request());
      default -> client.submit(Command.REGION_WRITE, write(revocation));
    };
  }

  /** A revocation that is the write of a register. */
  private RegionWrite.Request write(Revocation revocation) throws Exception {
    return switch (revocation) {
      case FUNCTION_LEVEL_RESET ->
          word(channel.driver().config().capability(Express.ID) + Long.BYTES, 1 << 15);
      case BUS_MASTER_OFF -> word(Header.COMMAND, Header.COMMAND_MEMORY_SPACE);
      case CHANNEL_OFF ->
          new RegionWrite.Request(
              CHANNEL_CONTROL, Wire.REGISTERS, Unpooled.buffer(Integer.BYTES).writeIntLE(0));
      case UNMAP, DEVICE_RESET -> throw new AssertionError(revocation);
    };
  }

  private static RegionWrite.Request word(int offset, int value) {
    return new RegionWrite.Request(
        offset, Wire.CONFIG, Unpooled.buffer(Short.BYTES).writeShortLE(value));
  }

  private void worksMeanwhile() throws Exception {
    for (int i = 0; i < OPERATIONS; i++) {
      assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
    }
  }

  /** Waits for a reply that says that the request was done, and nothing went on meanwhile. */
  private void settled(CompletableFuture<Frame> reply) throws Exception {
    CompletableFuture<Integer> endedBefore = reply.thenApply(_ -> files.ended());
    worksMeanwhile();
    assertThat(reply).as("replied before the step ended").isNotDone();
    assertThat(files.ended()).isZero();
    files.letGo();
    Frame frame = reply.get(60, TimeUnit.SECONDS);
    assertThat(frame.header().error()).isFalse();
    frame.release();
    assertThat(endedBefore.get()).isEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource
  void theReplyWaitsAndNothingElseDoes(Revocation revocation) throws Exception {
    channel.submit(Descriptor.copy(SIZE).from(SOURCE).to(TARGET));
    files.awaitBegun();
    settled(send(revocation));
    disk.fill(CANARY);
    worksMeanwhile();
    assertThat(files.ended()).as("steps after the reply").isEqualTo(1);
    assertThat(disk.mismatch(MemorySegment.ofArray(new byte[(int) SIZE]).fill(CANARY)))
        .isEqualTo(-1);
  }

  /** What is posted cannot be replied to: the next reply says that it is done. */
  @ParameterizedTest
  @EnumSource(names = {"FUNCTION_LEVEL_RESET", "BUS_MASTER_OFF", "CHANNEL_OFF"})
  void theReplyAfterAPostedRevocationWaits(Revocation revocation) throws Exception {
    channel.submit(Descriptor.copy(SIZE).from(SOURCE).to(TARGET));
    files.awaitBegun();
    Payload write = write(revocation);
    client.post(Command.REGION_WRITE, write);
    settled(
        client.submit(
            Command.REGION_READ, new RegionRead.Request(Wire.ID, Wire.REGISTERS, Integer.BYTES)));
  }

  /** What an old state still reads does not come into the memory of the next. */
  @Test
  void whatIsReadAfterAResetIsDropped() throws Exception {
    channel.submit(Descriptor.copy(SIZE).from(TARGET).toLocal(0));
    files.awaitBegun();
    settled(send(Revocation.DEVICE_RESET));
    worksMeanwhile();
    assertThat(client.regionRead(Wire.MEMORY, 0, (int) SIZE)).containsOnly(0);
  }

  @Test
  void whatIsNotRevokedGoesOnWhereItWas() throws Exception {
    channel.submit(Descriptor.copy(SIZE).from(SOURCE).to(TARGET).interrupt());
    files.awaitBegun();
    client.dmaUnmap(SOURCE + (1L << 40), SIZE);
    worksMeanwhile();
    files.letGo();
    channel.awaitInterrupt();
    Wire.idle(channel);
    assertThat(disk.get(ValueLayout.JAVA_BYTE, SIZE - 1)).isNotEqualTo(CANARY);
  }

  @Test
  void manyRevocationsAreRepliedTo() throws Exception {
    channel.submit(Descriptor.copy(SIZE).from(SOURCE).to(TARGET));
    files.awaitBegun();
    List<CompletableFuture<Frame>> replies = new ArrayList<>();
    // More than the session holds, which then reads no more; the others wait in the socket.
    for (int i = 0; i < 300; i++) {
      replies.add(send(Revocation.DEVICE_RESET));
    }
    assertThat(replies).noneMatch(CompletableFuture::isDone);
    files.letGo();
    for (CompletableFuture<Frame> reply : replies) {
      reply.get(60, TimeUnit.SECONDS).release();
    }
    worksMeanwhile();
  }

  @Test
  void theNextClientDoesNotWaitForTheLastOnesDisk() throws Exception {
    channel.submit(Descriptor.copy(SIZE).from(SOURCE).to(TARGET));
    files.awaitBegun();
    CompletableFuture<Frame> never = send(Revocation.DEVICE_RESET);
    client = wire.reconnect();
    assertThat(never).isCompletedExceptionally();
    assertThat(files.open()).isZero();
    client.reset();
    worksMeanwhile();
    files.letGo();
    worksMeanwhile();
  }

  @Test
  void theServerStopsWithoutTheDisk() throws Exception {
    channel.submit(Descriptor.copy(SIZE).from(SOURCE).to(TARGET));
    files.awaitBegun();
    wire.close();
    wire = null;
    assertThat(files.ended()).isZero();
  }
}
