package dev.peerbar.devices.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.drive.FakeMachine;
import dev.peerbar.devices.nvme.drive.NvmeDriver;
import dev.peerbar.devices.nvme.drive.QueuePair;
import dev.peerbar.devices.nvme.drive.TestStorage;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.pci.ResetKind;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The whole controller as a driver uses it: enabled, queues made, blocks written and read. */
final class NvmeIoTest {
  private static final int LBA = 512;

  private final TestStorage storage = new TestStorage(1 << 20);
  private final FakeMachine machine =
      new FakeMachine(
          new NvmeEndpoint(new NvmeConfig(LBA, 1 << 20, 4, DoorbellMode.TRAP, "TEST"), storage));
  private final NvmeDriver driver = new NvmeDriver(machine).enable();

  static byte[] random(int length, long seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  @Test
  void whatIsWrittenIsReadBack() {
    QueuePair queue = driver.createPair(1, 16);
    long buffer = driver.allocate(8192);
    byte[] data = random(8192, 1);
    driver.fill(buffer, data);
    assertThat(queue.run(driver.io(IoOpcode.WRITE, 100, 16, buffer).build()).status())
        .isEqualTo(Status.SUCCESS);
    assertThat(storage.bytes().asSlice(100 * LBA, 8192).toArray(ValueLayout.JAVA_BYTE))
        .isEqualTo(data);
    long other = driver.allocate(8192);
    SubmissionEntry read = driver.io(IoOpcode.READ, 100, 16, other).build();
    CompletionEntry completion = queue.run(read);
    assertThat(completion.status()).isEqualTo(Status.SUCCESS);
    assertThat(completion.commandId()).isEqualTo(read.commandId());
    assertThat(completion.sqId()).isEqualTo(1);
    assertThat(completion.sqHead()).isEqualTo(2);
    assertThat(driver.bytes(other, 8192)).isEqualTo(data);
    assertThat(machine.host().raised()).contains(0);
  }

  @Test
  void queuesWrapManyTimes() {
    QueuePair queue = driver.createPair(2, 5);
    long buffer = driver.allocate(4096);
    for (int i = 0; i < 100; i++) {
      driver.fill(buffer, random(LBA, i));
      assertThat(queue.run(driver.io(IoOpcode.WRITE, i, 1, buffer).build()).status())
          .isEqualTo(Status.SUCCESS);
    }
    for (int i = 0; i < 100; i++) {
      assertThat(queue.run(driver.io(IoOpcode.READ, i, 1, buffer).build()).status())
          .isEqualTo(Status.SUCCESS);
      assertThat(driver.bytes(buffer, LBA)).isEqualTo(random(LBA, i));
    }
  }

  @Test
  void everyPairWorksBesideTheOthers() {
    QueuePair[] queues = new QueuePair[4];
    for (int i = 0; i < 4; i++) {
      queues[i] = driver.createPair(i + 1, 8);
    }
    long buffer = driver.allocate(4096);
    for (QueuePair queue : queues) {
      for (int i = 0; i < 7; i++) {
        queue.put(driver.io(IoOpcode.READ, i, 1, buffer).build());
      }
      queue.ring();
    }
    for (QueuePair queue : queues) {
      for (int i = 0; i < 7; i++) {
        assertThat(queue.await().sqId()).isEqualTo(queue.id());
      }
    }
  }

  @Test
  void aResetInitialisesAgain() {
    QueuePair queue = driver.createPair(1, 16);
    long buffer = driver.allocate(4096);
    driver.fill(buffer, random(LBA, 3));
    queue.run(driver.io(IoOpcode.WRITE, 9, 1, buffer).build());
    driver.disable();
    assertThat(machine.read4(NvmeRegisters.CSTS)).isZero();
    driver.enable();
    queue = driver.createPair(1, 16);
    long other = driver.allocate(4096);
    Arrays.stream(ResetKind.values()).forEach(machine::reset);
    driver.enable();
    queue = driver.createPair(1, 16);
    queue.run(driver.io(IoOpcode.READ, 9, 1, other).build());
    assertThat(driver.bytes(other, LBA)).isEqualTo(random(LBA, 3));
  }

  @Test
  void shadowDoorbellsSpareRegisters() {
    driver.useShadowDoorbells();
    QueuePair queue = driver.createPair(1, 16);
    long buffer = driver.allocate(4096);
    for (int i = 0; i < 100; i++) {
      driver.fill(buffer, random(LBA, i));
      assertThat(queue.run(driver.io(IoOpcode.WRITE, i, 1, buffer).build()).status())
          .isEqualTo(Status.SUCCESS);
    }
    assertThat(storage.calls()).hasSize(100);
  }
}
