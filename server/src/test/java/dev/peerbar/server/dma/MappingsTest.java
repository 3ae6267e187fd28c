package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.ServerOptions;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Wire;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * As many mappings as there may be, of pages in any order: hardly one goes on where another ends.
 */
@Timeout(600)
@Tag("long")
final class MappingsTest {
  private static final int MOST = ServerOptions.DMA_MAPS;
  private static final long PAGE = GuestMemory.PAGE;
  private static final long IOVA = 0x1_0000_0000L;
  private static final long BAR_SIZE = 256 << 20;
  private static final int BAR_PAGES = (int) (BAR_SIZE / PAGE);

  @TempDir private Path directory;

  @Test
  void transfersTouchAllMappings() throws Exception {
    HbmConfig config = new HbmConfig(BAR_SIZE, 1, DoorbellMode.TRAP, false);
    try (Wire wire = Wire.connected(directory, config);
        GuestMemory memory = new GuestMemory("mappings", BAR_SIZE)) {
      VfioUserClient client = wire.client();
      // The driver's ring is a mapping too.
      int pages = MOST - 1;
      HbmChannel channel = wire.channel(0);
      for (int i = 0; i < BAR_PAGES; i++) {
        memory.bytes().set(GuestMemory.LONG, i * PAGE, ~i);
        memory.bytes().set(GuestMemory.LONG, (i + 1) * PAGE - Long.BYTES, i);
      }
      int[] order = new Random(1).ints(pages, 0, BAR_PAGES).toArray();
      long begin = System.nanoTime();
      for (int i = 0; i < pages; i++) {
        wire.post(
            Command.DMA_MAP,
            new DmaMap.Request(Wire.READ_WRITE, order[i] * PAGE, IOVA + i * PAGE, PAGE),
            memory.file());
      }
      wire.works();
      long mapped = System.nanoTime();
      assertThat(wire.server().function().bus().table().size()).isEqualTo(MOST);
      assertThat(OpenFiles.mappings("mappings")).as("the server's and the test's").isEqualTo(2);
      full(client, memory, IOVA + pages * PAGE);
      try (VfioUserClient.WithDescriptors<DeviceGetRegionInfo.Reply> info =
              client.regionInfo(Wire.MEMORY);
          Mapping bar =
              SharedMemory.map(
                  info.descriptors().get(0), 0, BAR_SIZE, SharedMemory.Access.READ_ONLY)) {
        for (int first = 0; first < pages; first += BAR_PAGES) {
          int count = Math.min(BAR_PAGES, pages - first);
          channel.run(
              Descriptor.copy(count * PAGE).from(IOVA + first * PAGE).toLocal(0).interrupt());
          Wire.idle(channel);
          for (int i = 0; i < count; i++) {
            MemorySegment seen = bar.segment().asSlice(i * PAGE, PAGE);
            MemorySegment meant = memory.bytes().asSlice(order[first + i] * PAGE, PAGE);
            assertThat(seen.mismatch(meant)).as("page " + (first + i)).isEqualTo(-1);
          }
        }
      }
      long copied = System.nanoTime();
      client.dmaUnmap(IOVA, pages * PAGE);
      long unmapped = System.nanoTime();
      assertThat(wire.server().function().bus().table().size()).as("the ring").isOne();
      assertThat(OpenFiles.mappings("mappings")).as("the test's own").isOne();
      channel.run(Descriptor.copy(PAGE).from(IOVA).toLocal(0).interrupt());
      Wire.halted(channel, ErrorCode.READ_FAULT);
      System.out.printf(
          "%d mappings: %d ms to map, %d ms to copy through and compare, %d ms to unmap%n",
          MOST,
          (mapped - begin) / 1_000_000,
          (copied - mapped) / 1_000_000,
          (unmapped - copied) / 1_000_000);
    }
  }

  private static void full(VfioUserClient client, GuestMemory memory, long iova) {
    for (Optional<FileDescriptor> file :
        List.of(Optional.of(memory.file()), Optional.<FileDescriptor>empty())) {
      assertThatThrownBy(() -> client.dmaMap(Wire.READ_WRITE, 0, iova, PAGE, file))
          .isInstanceOfSatisfying(
              RemoteErrorException.class,
              refusal -> assertThat(refusal.errno()).isEqualTo(Errno.ENOSPC));
    }
  }
}
