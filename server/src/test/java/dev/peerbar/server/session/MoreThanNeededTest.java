package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.DeviceFeature.Feature;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DeviceGetRegionIoFds;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.DeviceSetIrqs;
import dev.peerbar.protocol.DmaLogging;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.DmaUnmap;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.MigDataRead;
import dev.peerbar.protocol.MigrationState;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.RegionWriteMulti;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Requests that are longer than their tables, or come with more descriptors than they take: they
 * are done as if they were not.
 */
@Timeout(60)
final class MoreThanNeededTest {
  private static final long PAGE = GuestMemory.PAGE;
  private static final long IOVA = 0x4000_0000L;
  private static final int AMPLE = 4096;

  /** What SPDK's initiator sends to be told of a region, in bytes. */
  private static final int SPDK_REGION_INFO = 4064;

  @TempDir private Path directory;
  private Wire wire;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.connected(directory);
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  private FileDescriptor event() throws IOException {
    return wire.own(EventDescriptor.create());
  }

  private static ByteBuf longer(Payload payload, int more) {
    return Wire.bytes(payload).writeZero(more);
  }

  /** What a good request is answered with: that it was no error, a payload, and descriptors. */
  private record Answer(List<Byte> payload, int descriptors) {}

  private Answer ask(Command command, ByteBuf payload, FileDescriptor... descriptors)
      throws IOException {
    Frame reply = wire.ask(command.code(), payload, descriptors);
    try {
      assertThat(reply.header().errno()).as("%s: errno", command).isZero();
      assertThat(reply.header().error()).isFalse();
      byte[] bytes = ByteBufUtil.getBytes(reply.payload());
      return new Answer(
          IntStream.range(0, bytes.length).mapToObj(i -> bytes[i]).toList(),
          reply.descriptors().count());
    } finally {
      reply.release();
    }
  }

  // Longer than the table.

  private static DeviceFeature.Request feature(Feature feature, int method, Payload data) {
    return new DeviceFeature.Request(AMPLE, feature.index() | method, Wire.bytes(data));
  }

  /** Requests that can be made again and again, with the same answer. */
  static Stream<Arguments> fixedTables() {
    return Stream.of(
        Arguments.of(Command.DEVICE_GET_INFO, new DeviceGetInfo.Request()),
        Arguments.of(
            Command.DEVICE_GET_REGION_INFO, new DeviceGetRegionInfo.Request(AMPLE, Wire.MEMORY)),
        Arguments.of(
            Command.DEVICE_GET_REGION_INFO, new DeviceGetRegionInfo.Request(32, Wire.REGISTERS)),
        Arguments.of(
            Command.DEVICE_GET_REGION_IO_FDS,
            new DeviceGetRegionIoFds.Request(AMPLE, 0, Wire.REGISTERS, 0)),
        Arguments.of(Command.DEVICE_GET_IRQ_INFO, new DeviceGetIrqInfo.Request(PciIrq.MSIX)),
        Arguments.of(Command.DMA_UNMAP, new DmaUnmap.Request(IOVA, PAGE)),
        Arguments.of(Command.REGION_READ, new RegionRead.Request(0, Wire.REGISTERS, 4)),
        Arguments.of(Command.DEVICE_RESET, new DeviceReset.Request()),
        Arguments.of(
            Command.DEVICE_SET_IRQS,
            new DeviceSetIrqs.Request(
                DeviceSetIrqs.DATA_NONE | DeviceSetIrqs.ACTION_TRIGGER,
                PciIrq.MSIX,
                0,
                0,
                Unpooled.EMPTY_BUFFER)),
        Arguments.of(
            Command.DEVICE_FEATURE,
            new DeviceFeature.Request(
                AMPLE, Feature.MIGRATION.index() | DeviceFeature.GET, Unpooled.EMPTY_BUFFER)),
        Arguments.of(
            Command.DEVICE_FEATURE,
            new DeviceFeature.Request(
                AMPLE,
                Feature.MIG_DEVICE_STATE.index() | DeviceFeature.GET,
                Unpooled.EMPTY_BUFFER)));
  }

  @ParameterizedTest
  @MethodSource("fixedTables")
  void whatFollowsATableIsNotLookedAt(Command command, Payload payload) throws Exception {
    Answer plain = ask(command, Wire.bytes(payload));
    for (int more : new int[] {1, 7, 32, SPDK_REGION_INFO, 1 << 20}) {
      assertThat(ask(command, longer(payload, more))).as("%d more", more).isEqualTo(plain);
      assertThat(ask(command, Wire.bytes(payload).writeBytes(ones(more)))).isEqualTo(plain);
    }
  }

  private static byte[] ones(int length) {
    byte[] ones = new byte[length];
    Arrays.fill(ones, (byte) 0xff);
    return ones;
  }

  @Test
  void aMappingIsMadeAndTakenAwayWhateverFollows() throws Exception {
    FileDescriptor file = wire.memory(PAGE).file();
    DmaMap.Request map = new DmaMap.Request(Wire.READ_WRITE, 0, IOVA, PAGE);
    assertThat(ask(Command.DMA_MAP, longer(map, 32), file)).isEqualTo(new Answer(List.of(), 0));
    assertThat(wire.server().function().bus().table().size()).isOne();
    ask(Command.DMA_UNMAP, longer(new DmaUnmap.Request(IOVA, PAGE), 40));
    assertThat(wire.server().function().bus().table().size()).isZero();
  }

  @Test
  void theStateIsReadWhateverFollows() throws Exception {
    wire.client().migrateTo(MigrationState.State.PRE_COPY);
    Answer answer = ask(Command.MIG_DATA_READ, longer(new MigDataRead.Request(AMPLE, 16), 16));
    assertThat(answer.payload()).hasSize(MigDataRead.DATA + 16);
  }

  /** As long as the room for the reply, which is how SPDK's initiator and a sample ask. */
  @Test
  void aRegionIsToldToAClientThatSendsAllItsRoom() throws Exception {
    for (int room : new int[] {64, SPDK_REGION_INFO}) {
      DeviceGetRegionInfo.Request info = new DeviceGetRegionInfo.Request(room, Wire.MEMORY);
      Frame reply =
          wire.ask(
              Command.DEVICE_GET_REGION_INFO.code(),
              longer(info, room - DeviceGetRegionInfo.Request.LENGTH));
      assertThat(DeviceGetRegionInfo.Reply.decode(reply.payload()).size()).isEqualTo(Wire.BAR_SIZE);
      assertThat(reply.descriptors().count()).isOne();
      reply.release();
    }
  }

  /** Linux reads no data of a probe, and of others as much as the feature has. */
  @Test
  void featuresAreSetWhateverFollows() throws Exception {
    MigrationState stop = new MigrationState(MigrationState.State.STOP, -1);
    ByteBuf data = longer(stop, 9);
    DeviceFeature.Request set =
        new DeviceFeature.Request(
            AMPLE, Feature.MIG_DEVICE_STATE.index() | DeviceFeature.SET, data);
    Frame reply = wire.ask(Command.DEVICE_FEATURE.code(), Wire.bytes(set));
    DeviceFeature.Reply repeated = DeviceFeature.Reply.decode(reply.payload());
    assertThat(repeated.argsz()).isEqualTo(DeviceFeature.DATA + 17);
    assertThat(repeated.data()).isEqualTo(data);
    reply.release();
    assertThat(wire.client().migrationState()).isEqualTo(MigrationState.State.STOP);
  }

  @Test
  void aReplyToSettingHasRoomInTheArgsz() throws Exception {
    ByteBuf data = longer(new MigrationState(MigrationState.State.STOP, -1), 9);
    int argsz = DeviceFeature.DATA + 8;
    DeviceFeature.Request set =
        new DeviceFeature.Request(
            argsz, Feature.MIG_DEVICE_STATE.index() | DeviceFeature.SET, data);
    assertThat(ask(Command.DEVICE_FEATURE, Wire.bytes(set)).payload()).hasSize(argsz);
    assertThat(wire.client().migrationState()).isEqualTo(MigrationState.State.STOP);
  }

  @Test
  void aProbeIsAnsweredAsFarAsThereIsRoom() throws Exception {
    for (int argsz : new int[] {8, 13, 16, 100}) {
      DeviceFeature.Request probe =
          new DeviceFeature.Request(
              argsz,
              Feature.MIG_DEVICE_STATE.index() | DeviceFeature.PROBE,
              Unpooled.buffer().writeZero(8));
      assertThat(ask(Command.DEVICE_FEATURE, Wire.bytes(probe)).payload())
          .hasSize(Math.min(16, argsz));
    }
  }

  /** The reference library's client sends the data of a start, and waits for them to come back. */
  @Test
  void loggingIsStoppedByAClientThatRepeatsTheStart() throws Exception {
    DmaLogging.Control control = new DmaLogging.Control(PAGE, List.of());
    ask(
        Command.DEVICE_FEATURE,
        Wire.bytes(feature(Feature.DMA_LOGGING_START, DeviceFeature.SET, control)));
    assertThat(wire.server().function().bus().dirtyLog()).isPresent();
    ByteBuf stop = Wire.bytes(feature(Feature.DMA_LOGGING_STOP, DeviceFeature.SET, control));
    Answer answer = ask(Command.DEVICE_FEATURE, stop.copy());
    assertThat(answer.payload()).hasSize(stop.readableBytes());
    assertThat(wire.server().function().bus().dirtyLog()).isEmpty();
  }

  /** A client may leave the room for the bitmap in its request. */
  @Test
  void pagesAreReportedWhateverFollows() throws Exception {
    ask(
        Command.DEVICE_FEATURE,
        Wire.bytes(
            feature(
                Feature.DMA_LOGGING_START,
                DeviceFeature.SET,
                new DmaLogging.Control(PAGE, List.of()))));
    DeviceFeature.Request report =
        new DeviceFeature.Request(
            AMPLE,
            Feature.DMA_LOGGING_REPORT.index() | DeviceFeature.GET,
            longer(new DmaLogging.ReportRequest(IOVA, 64 * PAGE, PAGE), Long.BYTES));
    assertThat(ask(Command.DEVICE_FEATURE, Wire.bytes(report)).payload())
        .hasSize(DeviceFeature.DATA + DmaLogging.Report.BITMAP + Long.BYTES);
  }

  // More descriptors than are taken.

  private static Payload good(Command command) {
    return switch (command) {
      case DMA_UNMAP -> new DmaUnmap.Request(IOVA, PAGE);
      case DEVICE_GET_INFO -> new DeviceGetInfo.Request();
      case DEVICE_GET_REGION_INFO -> new DeviceGetRegionInfo.Request(32, Wire.REGISTERS);
      case DEVICE_GET_REGION_IO_FDS ->
          new DeviceGetRegionIoFds.Request(AMPLE, 0, Wire.REGISTERS, 0);
      case DEVICE_GET_IRQ_INFO -> new DeviceGetIrqInfo.Request(PciIrq.MSIX);
      case REGION_READ -> new RegionRead.Request(0, Wire.REGISTERS, 4);
      case REGION_WRITE ->
          new RegionWrite.Request(Wire.SCRATCH, Wire.REGISTERS, Unpooled.copyInt(1));
      case REGION_WRITE_MULTI -> new RegionWriteMulti.Request(List.of());
      case DEVICE_FEATURE ->
          new DeviceFeature.Request(
              AMPLE, Feature.MIGRATION.index() | DeviceFeature.PROBE, Unpooled.EMPTY_BUFFER);
      default -> new DeviceReset.Request();
    };
  }

  @ParameterizedTest
  @EnumSource(
      names = {
        "VERSION",
        "DMA_MAP",
        "DEVICE_SET_IRQS",
        "DMA_READ",
        "DMA_WRITE",
        "MIG_DATA_READ",
        "MIG_DATA_WRITE"
      },
      mode = EnumSource.Mode.EXCLUDE)
  void descriptorsThatAreNotWantedAreClosed(Command command) throws Exception {
    Answer plain = ask(command, Wire.bytes(good(command)));
    FileDescriptor event = event();
    long open = OpenFiles.count();
    for (int i = 0; i < 20; i++) {
      assertThat(ask(command, Wire.bytes(good(command)), event, event)).isEqualTo(plain);
    }
    closesAllButThose(open);
  }

  /** The server closes its own of a reply after the client has received it. */
  private static void closesAllButThose(long open) throws Exception {
    Wire.await("the rest to be closed", () -> OpenFiles.count() <= open);
  }

  /** SPDK's initiator gives the descriptor of a mapping again with its end. */
  @Test
  void aMappingEndsWithItsDescriptor() throws Exception {
    FileDescriptor file = wire.memory(PAGE).file();
    long open = OpenFiles.count();
    for (int i = 0; i < 20; i++) {
      ask(Command.DMA_MAP, Wire.bytes(new DmaMap.Request(Wire.READ_WRITE, 0, IOVA, PAGE)), file);
      ask(Command.DMA_UNMAP, Wire.bytes(new DmaUnmap.Request(IOVA, PAGE)), file);
      assertThat(wire.server().function().bus().table().size()).isZero();
    }
    closesAllButThose(open);
  }

  @Test
  void aMappingTakesTheFirstOfItsDescriptors() throws Exception {
    GuestMemory first = wire.memory(PAGE);
    GuestMemory second = wire.memory(PAGE);
    HbmChannel channel = wire.channel(0);
    FileDescriptor event = event();
    long open = OpenFiles.count();
    ask(
        Command.DMA_MAP,
        Wire.bytes(new DmaMap.Request(Wire.READ_WRITE, 0, IOVA, PAGE)),
        first.file(),
        second.file(),
        event);
    channel.run(Descriptor.fill(0x1122_3344_5566_7788L, PAGE).to(IOVA).interrupt());
    assertThat(first.bytes().get(GuestMemory.LONG, 0)).isEqualTo(0x1122_3344_5566_7788L);
    assertThat(second.bytes().get(GuestMemory.LONG, 0)).isZero();
    wire.client().dmaUnmap(IOVA, PAGE);
    closesAllButThose(open);
  }
}
