package dev.peerbar.devices.nvme;

import static dev.peerbar.devices.nvme.NvmeFixture.io;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.endpoint.Engine;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Hosts that are told of each completion, whatever they do about it. */
@InEveryMode
@Timeout(value = 2, unit = TimeUnit.MINUTES)
final class NvmeInterruptsTest {
  private static final int ENTRIES = 64;

  private final NvmeFixture nvme;
  private final FakeHost host;
  private final NvmeDriver driver;

  NvmeInterruptsTest(Engine.Polling polling) {
    nvme = new NvmeFixture(polling);
    host = nvme.host;
    driver = nvme.driver;
  }

  /** One that looks for completions at interrupts alone, and gives them back much later. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatIsNeverAnsweredIsInterruptedForAllTheSame(boolean shadow) throws IOException {
    driver.setUp();
    driver.enable();
    if (shadow) {
      driver.ringByShadows();
    }
    NvmeQueue pair = driver.createQueue(2, ENTRIES);
    host.settle();
    DmaRange buffer = nvme.device.allocate(NvmeDriver.PAGE);
    for (int i = 0; i < ENTRIES - 1; i++) {
      // By turns in place and by a worker.
      pair.submit(i % 3 == 0 ? discard(buffer) : io(IoOpcode.READ, i, 1, buffer));
      host.wake();
      host.settleUnasked();
      List<String> journal = host.journal();
      // The half with the phase tag, which comes last.
      long half = pair.completions().iova() + (long) i * CompletionEntry.BYTES + Long.BYTES;
      String written = "write 0x%x+8".formatted(half);
      assertThat(journal).contains(written);
      assertThat(journal.lastIndexOf("raise 2"))
          .as("after completion %d", i)
          .isGreaterThan(journal.lastIndexOf(written));
    }
    assertThat(pair.collect()).hasSize(ENTRIES - 1);
  }

  private static SubmissionEntry.Builder discard(DmaRange buffer) throws IOException {
    buffer.storeInt(4, 1);
    return NvmeCommands.deallocate(1, new DataPointer(buffer.iova(), 0));
  }
}
