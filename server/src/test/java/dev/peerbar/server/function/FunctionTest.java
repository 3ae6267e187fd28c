package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.pci.ConfigLayout.PowerManagement;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.RegionCapability.SparseMmap;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.protocol.client.VfioUserClient.WithDescriptors;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Wire;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a client sees of a function: config space, BARs, mappings, interrupts, resets. */
@Timeout(60)
final class FunctionTest {
  private static final long DOORBELLS = 0x8000;
  private static final long DOORBELLS_LENGTH = 0x1000;
  private static final long PENDING_BITS = 0x2000;
  private static final int SPARSE_ARGSZ = 32 + 16 + 16;

  @TempDir private Path directory;
  private Wire wire;
  private VfioUserClient client;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.connected(directory, Wire.config(DoorbellMode.MAP));
    client = wire.client();
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  private HbmChannel channel() throws IOException {
    return wire.channel(0);
  }

  private long pendingBits() throws IOException {
    return client.readLong(Wire.MSIX, PENDING_BITS);
  }

  @Test
  void configSpaceNamesTheDevice() throws Exception {
    assertThat(client.readInt(Wire.CONFIG, 0)).isEqualTo(0x7032_1234);
    assertThat(client.readInt(Wire.CONFIG, 8)).isEqualTo(0x1200_0001);
  }

  @Test
  void theDeviceIsPciAndResets() throws Exception {
    DeviceGetInfo.Reply info = client.deviceInfo();
    assertThat(info.flags()).isEqualTo(DeviceGetInfo.PCI | DeviceGetInfo.RESET);
    assertThat(info.numRegions()).isEqualTo(9);
    assertThat(info.numIrqs()).isEqualTo(5);
    assertThat(client.irqInfo(PciIrq.MSIX).count()).isEqualTo(Wire.VECTORS);
    assertThat(client.irqInfo(PciIrq.INTX).count()).isZero();
    assertThat(client.irqInfo(PciIrq.MSI).count()).isZero();
  }

  @Test
  void regionsHaveTheirSizes() throws Exception {
    long[] sizes = {64 << 10, 0, Wire.BAR_SIZE, 0, 16 << 10, 0, 0, 4096, 0};
    for (int index = 0; index < sizes.length; index++) {
      try (WithDescriptors<DeviceGetRegionInfo.Reply> info = client.regionInfo(index)) {
        assertThat(info.value().size()).as("region %d", index).isEqualTo(sizes[index]);
        boolean mappable = index == Wire.REGISTERS || index == Wire.MEMORY;
        assertThat((info.value().flags() & DeviceGetRegionInfo.MMAP) != 0).isEqualTo(mappable);
        assertThat(info.descriptors()).hasSize(mappable ? 1 : 0);
      }
    }
  }

  @Test
  void aShortArgszGetsTheNeededOneAndNoDescriptor() throws Exception {
    long open = OpenFiles.count();
    try (WithDescriptors<DeviceGetRegionInfo.Reply> info = client.regionInfo(Wire.REGISTERS, 32)) {
      assertThat(info.value().argsz()).isEqualTo(SPARSE_ARGSZ);
      assertThat(info.value().flags() & DeviceGetRegionInfo.CAPS).isNotZero();
      assertThat(info.descriptors()).isEmpty();
    }
    assertThat(OpenFiles.count()).isEqualTo(open);
    try (WithDescriptors<DeviceGetRegionInfo.Reply> info =
        client.regionInfo(Wire.REGISTERS, SPARSE_ARGSZ)) {
      assertThat(info.value().capabilities())
          .containsExactly(
              new SparseMmap(List.of(new SparseMmap.Area(DOORBELLS, DOORBELLS_LENGTH))));
      assertThat(info.descriptors()).hasSize(1);
    }
  }

  /** Who asks with no room for more has none for descriptors either. */
  @Test
  void noDescriptorComesWithTheFirstAnswerAndOneWithTheSecond() throws Exception {
    for (int index : new int[] {Wire.REGISTERS, Wire.MEMORY}) {
      try (WithDescriptors<DeviceGetRegionInfo.Reply> first = client.regionInfo(index, 32)) {
        assertThat(first.descriptors()).isEmpty();
        try (WithDescriptors<DeviceGetRegionInfo.Reply> second =
            client.regionInfo(index, first.value().argsz())) {
          assertThat(second.value().argsz()).isEqualTo(first.value().argsz());
          assertThat(second.value().capabilities()).hasSize(1);
          assertThat(second.descriptors()).hasSize(1);
        }
      }
    }
  }

  @Test
  void theMemoryBarIsMappableAsAWhole() throws Exception {
    try (WithDescriptors<DeviceGetRegionInfo.Reply> info = client.regionInfo(Wire.MEMORY)) {
      assertThat(info.value().capabilities())
          .containsExactly(new SparseMmap(List.of(new SparseMmap.Area(0, Wire.BAR_SIZE))));
    }
  }

  @Test
  void theMemoryBarIsWhatTheDescriptorMaps() throws Exception {
    try (WithDescriptors<DeviceGetRegionInfo.Reply> info = client.regionInfo(Wire.MEMORY)) {
      Mapping mapping =
          wire.own(
              SharedMemory.map(
                  info.descriptors().getFirst(),
                  info.value().offset(),
                  info.value().size(),
                  SharedMemory.Access.READ_WRITE));
      mapping.segment().set(GuestMemory.LONG, 0x5000, 0x1122_3344_5566_7788L);
      assertThat(client.readLong(Wire.MEMORY, 0x5000)).isEqualTo(0x1122_3344_5566_7788L);
      client.writeInt(Wire.MEMORY, Wire.BAR_SIZE - 4, 42);
      assertThat(mapping.segment().get(GuestMemory.INT, Wire.BAR_SIZE - 4)).isEqualTo(42);
    }
  }

  @Test
  void theMemoryOfABarCannotBeResized() throws Exception {
    try (WithDescriptors<DeviceGetRegionInfo.Reply> info = client.regionInfo(Wire.MEMORY)) {
      Path file = Path.of("/proc/self/fd/" + info.descriptors().getFirst().number());
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        assertThatThrownBy(() -> channel.truncate(4096))
            .isInstanceOf(IOException.class)
            .hasMessageContaining("Operation not permitted");
      }
    }
    wire.works();
  }

  @Test
  void aStoreToTheMappedDoorbellPageRings() throws Exception {
    HbmChannel channel = channel();
    try (WithDescriptors<DeviceGetRegionInfo.Reply> info = client.regionInfo(Wire.REGISTERS)) {
      Mapping page =
          wire.own(
              SharedMemory.map(
                  info.descriptors().getFirst(),
                  DOORBELLS,
                  DOORBELLS_LENGTH,
                  SharedMemory.Access.READ_WRITE));
      for (int i = 1; i <= 10; i++) {
        page.segment().set(GuestMemory.INT, 0, channel.put(Descriptor.nop().interrupt()).tail());
        channel.awaitInterrupt();
        assertThat(channel.head()).isEqualTo(i);
      }
      assertThat(client.readInt(Wire.REGISTERS, DOORBELLS)).as("reads back").isEqualTo(10);
      channel.driver().device().reset();
      assertThat(page.segment().get(GuestMemory.INT, 0)).as("cleared by reset").isZero();
    }
  }

  @Test
  void aTrappedWriteOfAMappedDoorbellRingsToo() throws Exception {
    HbmChannel channel = channel();
    channel.run(Descriptor.nop().interrupt());
    assertThat(channel.head()).isOne();
  }

  @Test
  void anInterruptWaitsForItsEventDescriptor() throws Exception {
    HbmChannel channel = channel();
    client.disableIrqs(PciIrq.MSIX);
    channel.submit(Descriptor.nop().interrupt());
    Wire.await("the pending bit", () -> pendingBits() == 1 << 1);
    FileDescriptor late = wire.own(EventDescriptor.create());
    client.setIrqEvents(PciIrq.MSIX, 1, late);
    assertThat(EventDescriptor.read(late)).isOne();
    assertThat(pendingBits()).isZero();
    assertThat(channel.interrupted()).isFalse();
  }

  @Test
  void aMaskedFunctionsInterruptIsPendingUntilUnmasked() throws Exception {
    HbmChannel channel = channel();
    channel.driver().config().maskMsix(true);
    channel.submit(Descriptor.nop().interrupt());
    Wire.await("the pending bit", () -> pendingBits() == 1 << 1);
    assertThat(channel.interrupted()).isFalse();
    channel.driver().config().maskMsix(false);
    assertThat(channel.interrupted()).isTrue();
    assertThat(pendingBits()).isZero();
  }

  @Test
  void noInterruptGoesOutWithoutBusMastering() throws Exception {
    HbmChannel channel = channel();
    channel.driver().config().busMaster(false);
    channel.submit(Descriptor.nop().interrupt());
    Wire.await("the pending bit", () -> (pendingBits() & 1 << 1) != 0);
    Wire.halted(channel, ErrorCode.BUS_MASTER_DISABLED);
    assertThat(channel.interrupted()).isFalse();
    channel.driver().config().busMaster(true);
    assertThat(channel.interrupted()).isTrue();
  }

  @Test
  void aFunctionLevelResetClearsRegistersAndCounts() throws Exception {
    HbmChannel channel = channel();
    client.writeInt(Wire.REGISTERS, Wire.SCRATCH, 7);
    client.writeInt(Wire.MEMORY, 0, 8);
    channel.driver().device().reset();
    assertThat(client.readInt(Wire.REGISTERS, Wire.SCRATCH)).isZero();
    assertThat(client.readInt(Wire.REGISTERS, Wire.RESET_COUNT)).isOne();
    assertThat(client.readInt(Wire.MEMORY, 0)).as("memory is kept").isEqualTo(8);
    channel.setUp();
    channel.run(Descriptor.nop().interrupt());
    assertThat(channel.head()).as("works again").isOne();
  }

  @Test
  void aDeviceResetClearsRegistersAndDoesNotCount() throws Exception {
    HbmChannel channel = channel();
    client.writeInt(Wire.REGISTERS, Wire.SCRATCH, 7);
    client.reset();
    assertThat(client.readInt(Wire.REGISTERS, Wire.SCRATCH)).isZero();
    assertThat(client.readInt(Wire.REGISTERS, Wire.RESET_COUNT)).isZero();
    assertThat(client.regionRead(Wire.CONFIG, Header.COMMAND, 2)).containsOnly(0);
    channel.setUp();
    channel.run(Descriptor.nop().interrupt());
    assertThat(channel.head()).as("works again").isOne();
  }

  @Test
  void leavingD3hotResets() throws Exception {
    HbmChannel channel = channel();
    client.writeInt(Wire.REGISTERS, Wire.SCRATCH, 7);
    channel.driver().config().powerState(PowerManagement.D3HOT);
    channel.driver().config().powerState(PowerManagement.D0);
    assertThat(client.readInt(Wire.REGISTERS, Wire.SCRATCH)).isZero();
    channel.setUp();
    channel.run(Descriptor.nop().interrupt());
    assertThat(channel.head()).as("works again").isOne();
  }

  @Test
  void aRegisterHasItsWidth() throws Exception {
    assertThat(client.regionRead(Wire.REGISTERS, Wire.ID, 1)).containsOnly(0);
    assertThat(client.readLong(Wire.REGISTERS, Wire.ID)).isZero();
    assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
  }
}
