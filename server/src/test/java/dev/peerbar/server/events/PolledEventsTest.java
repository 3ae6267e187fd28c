package dev.peerbar.server.events;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.nvme.NvmeBuffer;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.nvme.ShadowDoorbells;
import dev.peerbar.driver.socket.SocketDevice.Reach;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.server.Polling;
import dev.peerbar.server.ServerOptions;
import dev.peerbar.server.fixture.NvmeWire;
import dev.peerbar.server.storage.HostMemory;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a recording shows of an endpoint that looks all the time. */
@Timeout(120)
final class PolledEventsTest {
  private static final int COMMANDS = 50;
  private static final int BYTES = 4096;

  @TempDir private Path directory;

  private List<RecordedEvent> transfers(Recording recording) throws IOException {
    Path file = directory.resolve("recording.jfr");
    recording.dump(file);
    return RecordingFile.readAllEvents(file).stream()
        .filter(event -> event.getEventType().getName().equals("dev.peerbar.DmaTransfer"))
        .toList();
  }

  /** Looks at shadow doorbells that find nothing would leave no room for what commands do. */
  @Test
  void itsCommandsAreThereAndItsLooksAreNot() throws Exception {
    try (NvmeWire nvme =
            new NvmeWire(
                directory.resolve("nvme.sock"),
                NvmeWire.config(DoorbellMode.MAP, NvmeWire.CMB_SIZE),
                HostMemory.storage(NvmeWire.STORAGE_SIZE),
                ServerOptions.DEFAULT.withPolling(Polling.ALWAYS));
        Recording recording = new Recording()) {
      NvmeDriver driver = nvme.start(Reach.DIRECTLY);
      ShadowDoorbells shadow = driver.ringByShadows();
      NvmeQueue queue = driver.createQueue(1, 64);
      NvmeBuffer data = driver.buffer(BYTES);
      recording.start();
      for (int i = 0; i < COMMANDS; i++) {
        queue.succeed(NvmeWire.read(i, data));
      }
      List<RecordedEvent> transfers = transfers(recording);
      assertThat(transfers)
          .filteredOn(event -> event.getString("access").equals("WRITE"))
          .filteredOn(event -> event.getLong("asked") == BYTES)
          .hasSize(COMMANDS);
      assertThat(transfers)
          .filteredOn(event -> event.getLong("source") == shadow.shadows().iova())
          .isEmpty();
      // The doorbells that have moved, entries, data, and two halves of a completion.
      assertThat(transfers).hasSizeLessThan(12 * COMMANDS);
    }
  }
}
