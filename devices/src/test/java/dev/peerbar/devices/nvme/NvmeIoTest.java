package dev.peerbar.devices.nvme;

import static dev.peerbar.devices.nvme.NvmeFixture.io;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.ResetKind;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The whole controller as a driver uses it: enabled, queues made, blocks written and read. */
@InEveryMode
final class NvmeIoTest {
  private static final int LBA = 512;

  private final NvmeFixture nvme;
  private final TestStorage storage;
  private final NvmeDriver driver;

  NvmeIoTest(Engine.Polling polling) {
    nvme = new NvmeFixture(polling);
    storage = nvme.storage;
    driver = nvme.driver;
  }

  @BeforeEach
  void enable() throws IOException {
    driver.enable();
  }

  static byte[] random(int length, long seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  @Test
  void whatIsWrittenIsReadBack() throws IOException {
    NvmeQueue queue = driver.createQueue(1, 16);
    DmaRange buffer = driver.allocate(8192);
    byte[] data = random(8192, 1);
    buffer.write(0, data);
    assertThat(queue.execute(io(IoOpcode.WRITE, 100, 16, buffer)).status())
        .isEqualTo(Status.SUCCESS);
    assertThat(storage.bytes().asSlice(100 * LBA, 8192).toArray(ValueLayout.JAVA_BYTE))
        .isEqualTo(data);
    DmaRange other = driver.allocate(8192);
    int given = queue.nextCommandId();
    CompletionEntry completion = queue.execute(io(IoOpcode.READ, 100, 16, other));
    assertThat(completion.status()).isEqualTo(Status.SUCCESS);
    assertThat(completion.commandId()).isEqualTo(given);
    assertThat(completion.sqId()).isEqualTo(1);
    assertThat(completion.sqHead()).isEqualTo(2);
    assertThat(other.read(0, 8192)).isEqualTo(data);
    assertThat(nvme.host.raised()).contains(0);
  }

  @Test
  void queuesWrapManyTimes() throws IOException {
    NvmeQueue queue = driver.createQueue(2, 5);
    DmaRange buffer = driver.allocate(4096);
    for (int i = 0; i < 100; i++) {
      buffer.write(0, random(LBA, i));
      assertThat(queue.execute(io(IoOpcode.WRITE, i, 1, buffer)).status())
          .isEqualTo(Status.SUCCESS);
    }
    for (int i = 0; i < 100; i++) {
      assertThat(queue.execute(io(IoOpcode.READ, i, 1, buffer)).status()).isEqualTo(Status.SUCCESS);
      assertThat(buffer.read(0, LBA)).isEqualTo(random(LBA, i));
    }
  }

  @Test
  void everyPairWorksBesideTheOthers() throws IOException {
    NvmeQueue[] queues = new NvmeQueue[4];
    for (int i = 0; i < 4; i++) {
      queues[i] = driver.createQueue(i + 1, 8);
    }
    DmaRange buffer = driver.allocate(4096);
    for (NvmeQueue queue : queues) {
      for (int i = 0; i < 7; i++) {
        queue.put(io(IoOpcode.READ, i, 1, buffer));
      }
      queue.ring();
    }
    for (NvmeQueue queue : queues) {
      for (int i = 0; i < 7; i++) {
        assertThat(queue.await().sqId()).isEqualTo(queue.id());
      }
    }
  }

  @Test
  void aResetInitialisesAgain() throws IOException {
    NvmeQueue queue = driver.createQueue(1, 16);
    DmaRange buffer = driver.allocate(4096);
    buffer.write(0, random(LBA, 3));
    queue.execute(io(IoOpcode.WRITE, 9, 1, buffer));
    driver.disable();
    assertThat(nvme.read4(NvmeRegisters.CSTS)).isZero();
    driver.enable();
    queue = driver.createQueue(1, 16);
    DmaRange other = driver.allocate(4096);
    Arrays.stream(ResetKind.values()).forEach(nvme.host::reset);
    driver.enable();
    queue = driver.createQueue(1, 16);
    queue.execute(io(IoOpcode.READ, 9, 1, other));
    assertThat(other.read(0, LBA)).isEqualTo(random(LBA, 3));
  }

  @Test
  void shadowDoorbellsSpareRegisters() throws IOException {
    driver.ringByShadows();
    NvmeQueue queue = driver.createQueue(1, 16);
    DmaRange buffer = driver.allocate(4096);
    for (int i = 0; i < 100; i++) {
      buffer.write(0, random(LBA, i));
      assertThat(queue.execute(io(IoOpcode.WRITE, i, 1, buffer)).status())
          .isEqualTo(Status.SUCCESS);
    }
    assertThat(storage.calls()).hasSize(100);
  }
}
