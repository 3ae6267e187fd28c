package dev.peerbar.driver.contract;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.Device;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeBuffer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.nvme.ShadowDoorbells;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** An NVMe controller, driven. */
@Timeout(120)
public abstract class NvmeContract {
  private static final int ENTRIES = 16;
  private static final int LARGEST = 128 << 10;
  private static final long MEMORY = 1 << 20;

  /** Where the controller finds its own buffer: far from what else it is given. */
  private static final long CMB = 1L << 36;

  private Device device;
  private NvmeDriver driver;
  private int blockSize;

  /**
   * Opens an NVMe endpoint with two pairs of I/O queues or more, a CMB and blocks that nobody needs
   * any more, disabled; the test closes it.
   */
  protected abstract Device open() throws Exception;

  @BeforeEach
  final void takeOver() throws Exception {
    device = open();
    driver = NvmeDriver.of(device, device.allocate(MEMORY)).enable();
    blockSize = driver.identifyNamespace().blockSize();
  }

  @AfterEach
  final void letGo() throws IOException {
    if (device != null) {
      device.close();
    }
  }

  private static byte[] random(int length, long seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  private SubmissionEntry.Builder read(long lba, NvmeBuffer to) throws IOException {
    return NvmeCommands.read(lba, blocks(to), to.pointer());
  }

  private SubmissionEntry.Builder write(long lba, NvmeBuffer from) throws IOException {
    return NvmeCommands.write(lba, blocks(from), from.pointer());
  }

  private int blocks(NvmeBuffer buffer) {
    return Math.toIntExact(buffer.length() / blockSize);
  }

  private void isReady() throws IOException {
    assertThat(driver.status()).as("CSTS").isEqualTo(NvmeRegisters.CSTS_RDY);
  }

  @Test
  final void tellsWhatItIs() throws Exception {
    NvmeDriver.Identity identity = driver.identify();
    assertThat(identity.model()).isEqualTo("Peerbar NVMe");
    assertThat(identity.serialNumber()).isNotBlank();
    assertThat(identity.namespaces()).isEqualTo(1);
    assertThat(driver.identifyNamespace().blocks()).isPositive();
    assertThat(driver.requestQueues(2)).isGreaterThanOrEqualTo(2);
    isReady();
  }

  @Test
  final void whatIsWrittenIsReadThroughEveryKindOfDataPointer() throws Exception {
    NvmeQueue queue = driver.createQueue(1, ENTRIES);
    NvmeBuffer from = driver.buffer(LARGEST + NvmeDriver.PAGE);
    NvmeBuffer to = driver.buffer(LARGEST + NvmeDriver.PAGE);
    // One PRP entry, two, and a list; from the beginning of a page and from inside it.
    for (int length : new int[] {4096, 8192, 12288, LARGEST}) {
      for (int offset : new int[] {0, 512}) {
        byte[] bytes = random(length, length + offset);
        NvmeBuffer written = from.slice(offset, length);
        NvmeBuffer read = to.slice(offset, length);
        written.data().write(0, bytes);
        read.data().clear();

        queue.succeed(write(8, written));
        queue.succeed(read(8, read));

        assertThat(read.data().read(0, length)).isEqualTo(bytes);
        queue.succeed(NvmeCommands.compare(8, blocks(written), written.pointer()));
      }
    }
    from.data().storeInt(512, from.data().loadInt(512) + 1);
    NvmeBuffer changed = from.slice(512, LARGEST);
    assertThat(queue.execute(NvmeCommands.compare(8, blocks(changed), changed.pointer())).status())
        .isEqualTo(Status.COMPARE_FAILURE);
    queue.succeed(NvmeCommands.writeZeroes(8, 8));
    queue.succeed(NvmeCommands.flush());
    NvmeBuffer zeroes = to.slice(0, 8L * blockSize);
    queue.succeed(read(8, zeroes));
    assertThat(zeroes.data().read(0, 8 * blockSize)).containsOnly(0);
    isReady();
  }

  @Test
  final void queuesAndDataLieInTheControllersMemory() throws Exception {
    driver.disable();
    DmaRange cmb = driver.controllerMemory(CMB);
    driver.enable();
    NvmeQueue queue = driver.createQueue(1, ENTRIES, cmb.slice(0, 4096), driver.allocate(4096));
    NvmeBuffer inside = new NvmeBuffer(cmb.slice(65536, 65536), cmb.slice(4096, 4096));
    NvmeBuffer outside = driver.buffer(65536);
    byte[] bytes = random(65536, 5);
    inside.data().write(0, bytes);

    queue.succeed(write(0, inside));
    queue.succeed(read(0, outside));

    assertThat(outside.data().read(0, 65536)).isEqualTo(bytes);
    inside.data().clear();
    queue.succeed(read(0, inside));
    assertThat(inside.data().read(0, 65536)).isEqualTo(bytes);
    isReady();
  }

  @Test
  final void queuesGoRoundManyTimesBesideEachOther() throws Exception {
    List<NvmeQueue> queues = driver.createQueues(2, ENTRIES);
    NvmeBuffer data = driver.buffer(4096);
    for (int round = 0; round < 6; round++) {
      for (NvmeQueue queue : queues) {
        List<SubmissionEntry.Builder> commands = new ArrayList<>();
        for (int i = 0; i < ENTRIES - 1; i++) {
          commands.add(read(i, data));
        }
        queue.submit(commands);
      }
      for (NvmeQueue queue : queues) {
        List<CompletionEntry> completions = queue.collect(ENTRIES - 1, NvmeDriver.LIMIT);
        queue.ringHead();
        assertThat(completions).hasSize(ENTRIES - 1);
        assertThat(completions)
            .allSatisfy(completion -> {
              assertThat(completion.status()).isEqualTo(Status.SUCCESS);
              assertThat(completion.sqId()).isEqualTo(queue.id());
            });
        assertThat(completions.stream().map(CompletionEntry::commandId).distinct())
            .as("each command once")
            .hasSize(ENTRIES - 1);
      }
    }
    driver.deleteQueue(queues.getFirst());
    assertThat(driver.admin(NvmeCommands.deleteSubmissionQueue(queues.getFirst().id())).status())
        .isEqualTo(Status.INVALID_QUEUE_IDENTIFIER);
    driver.createQueue(1, ENTRIES).succeed(read(0, data));
    isReady();
  }

  @Test
  final void shadowDoorbellsAreLookedAt() throws Exception {
    ShadowDoorbells shadows = driver.ringByShadows();
    NvmeQueue queue = driver.createQueue(1, ENTRIES);
    NvmeBuffer from = driver.buffer(4096);
    NvmeBuffer to = driver.buffer(4096);
    for (int i = 0; i < 2 * ENTRIES; i++) {
      byte[] bytes = random(4096, i);
      from.data().write(0, bytes);
      queue.succeed(write(i * 8L, from));
      queue.succeed(read(i * 8L, to));
      assertThat(to.data().read(0, 4096)).isEqualTo(bytes);
    }
    assertThat(shadows.stores()).isEqualTo(8L * ENTRIES);
    assertThat(shadows.shadows().loadInt(8)).as("the tail").isEqualTo(queue.tail());
    assertThat(shadows.shadows().loadInt(12)).as("the head").isEqualTo(queue.head());
    isReady();
  }

  @Test
  final void aCommandThatFailsItsChecksChangesNothing() throws Exception {
    NvmeQueue queue = driver.createQueue(1, ENTRIES);
    NvmeBuffer data = driver.buffer(8192);
    byte[] bytes = random(8192, 7);
    data.data().write(0, bytes);
    queue.succeed(write(0, data));
    data.data().clear();
    DmaRange gone = device.allocate(4096);
    device.unmap(gone);

    assertThat(queue.execute(write(driver.identifyNamespace().blocks() - 1, data)).status())
        .isEqualTo(Status.LBA_OUT_OF_RANGE);
    assertThat(queue.execute(write(0, data).namespaceId(2)).status())
        .isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
    // The second page is not there: the first must not be written either.
    DataPointer half = new DataPointer(data.data().iova(), gone.iova());
    assertThat(queue.execute(NvmeCommands.write(0, blocks(data), half)).status())
        .isEqualTo(Status.DATA_TRANSFER_ERROR);

    queue.succeed(read(0, data));
    assertThat(data.data().read(0, 8192)).isEqualTo(bytes);
    isReady();
  }

  @Test
  final void blocksSurviveWhateverEndsTheController() throws Exception {
    NvmeQueue queue = driver.createQueue(1, ENTRIES);
    NvmeBuffer data = driver.buffer(LARGEST);
    byte[] bytes = random(LARGEST, 9);
    data.data().write(0, bytes);
    queue.succeed(write(32, data));
    for (boolean wholeFunction : new boolean[] {false, true}) {
      // Work is under way, and it is not waited for.
      while (queue.outstanding() < ENTRIES - 1) {
        queue.put(read(32, data));
      }
      queue.ring();
      if (wholeFunction) {
        device.reset();
        assertThat(driver.config().word(0)).as("the function is there").isNotEqualTo(0xffff);
        driver.setUp();
        assertThat(driver.status()).as("CSTS").isZero();
      } else {
        driver.disable();
      }

      driver.enable();
      queue = driver.createQueue(1, ENTRIES);
      data = driver.buffer(LARGEST);
      data.data().clear();
      queue.succeed(read(32, data));
      assertThat(data.data().read(0, LARGEST)).isEqualTo(bytes);
      isReady();
    }
  }
}
