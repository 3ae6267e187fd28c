package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.client.DmaHandler;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.protocol.client.VfioUserClient.WithDescriptors;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client said of itself, and what the server makes of it. */
@Timeout(60)
final class ClientLimitsTest {
  private static final long IOVA = 0x4000_0000L;
  private static final int LENGTH = 40_000;

  @TempDir private Path directory;
  private Wire wire;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.unconnected(directory);
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  private VfioUserClient connect(int descriptors, long transfer, int maps, long pages)
      throws IOException {
    VfioUserClient client = wire.own(VfioUserClient.connect(wire.path()));
    client.setTimeout(Wire.LIMIT);
    client.negotiate(
        new Capabilities(
            descriptors, transfer, maps, pages, Optional.empty(), false, Optional.empty()));
    return client;
  }

  @Test
  void aClientThatTakesNoDescriptorIsOfferedNoMapping() throws Exception {
    try (VfioUserClient client = connect(0, 1 << 20, 65535, 4096);
        WithDescriptors<DeviceGetRegionInfo.Reply> info = client.regionInfo(Wire.MEMORY)) {
      assertThat(info.value().flags())
          .isEqualTo(DeviceGetRegionInfo.READ | DeviceGetRegionInfo.WRITE);
      assertThat(info.value().size()).isEqualTo(Wire.BAR_SIZE);
      assertThat(info.descriptors()).isEmpty();
    }
    try (VfioUserClient client = wire.connect();
        WithDescriptors<DeviceGetRegionInfo.Reply> info = client.regionInfo(Wire.MEMORY)) {
      assertThat(info.value().flags() & DeviceGetRegionInfo.MMAP).isNotZero();
      assertThat(info.descriptors()).hasSize(1);
    }
  }

  /** "The count field must not exceed the value of max_data_xfer_size of the peer." */
  @ParameterizedTest
  @ValueSource(ints = {1000, 4096})
  void requestsOfTheServerKeepToTheClientsTransferSize(int most) throws Exception {
    VfioUserClient client = connect(1, most, 65535, 4096);
    AtomicInteger largest = new AtomicInteger();
    client.serveDma(
        new DmaHandler() {
          @Override
          public void read(long address, int count, ByteBuf into) {
            largest.accumulateAndGet(count, Math::max);
            into.writeZero(count);
          }

          @Override
          public void write(long address, ByteBuf data) {
            largest.accumulateAndGet(data.readableBytes(), Math::max);
          }
        });
    long mapped = (LENGTH + GuestMemory.PAGE - 1) / GuestMemory.PAGE * GuestMemory.PAGE;
    client.dmaMap(Wire.READ_WRITE, 0, IOVA, mapped, Optional.empty());
    try (SocketDevice device = new SocketDevice(client)) {
      HbmChannel channel = Wire.channel(device, 0);
      channel.run(Descriptor.copy(LENGTH).from(IOVA).toLocal(0).interrupt());
      assertThat(largest.getAndSet(0)).isEqualTo(most);
      channel.run(Descriptor.copy(LENGTH).fromLocal(0).to(IOVA).interrupt());
      assertThat(largest.get()).isEqualTo(most);
      Wire.idle(channel);
    }
  }

  @Test
  void requestsOfTheClientKeepToTheServersTransferSizeOnly() throws Exception {
    VfioUserClient client = connect(1, 1000, 65535, 4096);
    byte[] data = new byte[LENGTH];
    data[LENGTH - 1] = 7;
    client.regionWrite(Wire.MEMORY, 0, data);
    assertThat(client.regionRead(Wire.MEMORY, 0, LENGTH)).isEqualTo(data);
  }

  /** They are what the client says it may do; what it must not do, the server's own limits say. */
  @Test
  void mappingsAndPageSizesOfTheClientLimitNothing() throws Exception {
    VfioUserClient client = connect(1, 1 << 20, 1, 1 << 21);
    client.dmaMap(Wire.READ_WRITE, 0, IOVA, GuestMemory.PAGE, Optional.empty());
    client.dmaMap(Wire.READ_WRITE, 0, 2 * IOVA, GuestMemory.PAGE, Optional.empty());
    assertThat(wire.server().function().bus().table().size()).isEqualTo(2);
  }
}
