package dev.peerbar.devices.nvme;

import static dev.peerbar.devices.nvme.NvmeFixture.io;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.nvme.ShadowDoorbells;
import dev.peerbar.endpoint.Engine;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Who comes when, in one thread: queues with priorities, and everything in any order. */
@InEveryMode
@Timeout(value = 2, unit = TimeUnit.MINUTES)
final class NvmeOrderTest {
  private final NvmeFixture nvme;
  private final FakeHost host;
  private final NvmeDriver driver;
  private final DmaRange buffer;

  NvmeOrderTest(Engine.Polling polling) {
    nvme = new NvmeFixture(polling);
    host = nvme.host;
    driver = nvme.driver;
    buffer = nvme.device.allocate(NvmeDriver.PAGE);
  }

  private NvmeQueue pair(int id, int entries, int priority) throws IOException {
    return driver.createQueue(
        id,
        nvme.device.allocate(NvmeDriver.PAGE).slice(0, entries * SubmissionEntry.BYTES),
        nvme.device.allocate(NvmeDriver.PAGE).slice(0, entries * CompletionEntry.BYTES),
        priority);
  }

  /** Urgent ones first, then four of one class for each of the other (NVMe 1.4 4.13.2). */
  @Test
  void queuesHaveTheirShare() throws IOException {
    driver.enableWeighted();
    // Bursts of two; weights of 1, 1 and 4.
    driver
        .admin()
        .succeed(
            SubmissionEntry.builder(AdminOpcode.SET_FEATURES)
                .dword(10, 1)
                .dword(11, 1 | 0 << 8 | 0 << 16 | 3 << 24));
    NvmeQueue[] pairs = {pair(1, 64, 0), pair(2, 64, 1), pair(3, 64, 3)};
    host.settle();
    for (int i = 0; i < pairs.length; i++) {
      for (int command = 0; command < 40; command++) {
        pairs[i].put(io(IoOpcode.READ, 100 * i, 1, buffer));
      }
    }
    for (NvmeQueue pair : pairs) {
      pair.ring();
    }
    nvme.storage.calls().clear();
    host.wake();
    host.settleUnasked();

    List<Long> order =
        nvme.storage.calls().stream()
            .map(call -> Long.parseLong(call.substring(5, call.indexOf('+'))) / 51_200)
            .toList();
    assertThat(order).hasSize(120);
    assertThat(order.subList(0, 40)).as("urgent").containsOnly(0L);
    for (int turn = 40; turn < 90; turn += 5) {
      assertThat(order.subList(turn, turn + 5)).containsExactlyInAnyOrder(1L, 1L, 1L, 1L, 2L);
    }
  }

  /** Every command completes once, whatever it meets. */
  @ParameterizedTest
  @CsvSource({
    "1, false",
    "2, false",
    "3, false",
    "4, false",
    "5, true",
    "6, true",
    "7, true",
    "8, true"
  })
  void nothingIsLostOrDoneTwice(long seed, boolean shadow) throws IOException {
    new Life(seed, shadow).live(1_000);
  }

  /** A driver that does things at random, and a host that does. */
  private final class Life {
    private static final int PAIRS = 3;
    private static final int ENTRIES = 16;

    /** What the driver does amid a job at most: one that always finds more never ends. */
    private static final int MOST_ACTS = 20;

    private final Random random;
    private final boolean shadow;
    private final DmaRange far = nvme.device.allocate(NvmeDriver.PAGE);
    private final NvmeQueue[] pairs = new NvmeQueue[PAIRS];
    private final List<Set<Integer>> sent = new ArrayList<>();
    private final Map<Integer, Integer> aborts = new HashMap<>();
    private ShadowDoorbells shadows;
    private boolean amid;
    private int acts;
    private long completed;
    private long rings;

    Life(long seed, boolean shadow) throws IOException {
      random = new Random(seed);
      this.shadow = shadow;
      if (seed % 2 == 0) {
        // With the pin the host rings for every head.
        nvme.device.enableMsix(1);
      }
      host.byMessages(far.iova(), far.length());
      begin();
    }

    private void begin() throws IOException {
      host.meanwhile(() -> {});
      driver.enable();
      sent.clear();
      aborts.clear();
      shadows = shadow ? driver.ringByShadows() : null;
      for (int i = 0; i < PAIRS; i++) {
        // A narrow one, too.
        pairs[i] =
            driver.createQueue(
                i + 1,
                nvme.device.allocate(ENTRIES * SubmissionEntry.BYTES),
                nvme.device
                    .allocate(NvmeDriver.PAGE)
                    .slice(0, (i == 0 ? 4 : ENTRIES) * CompletionEntry.BYTES),
                0);
        sent.add(new HashSet<>());
      }
      host.meanwhile(() -> {
        if (!amid && acts > 0 && random.nextInt(4) == 0) {
          amid = true;
          acts--;
          try {
            act();
          } catch (IOException e) {
            throw new AssertionError(e);
          }
          amid = false;
        }
      });
    }

    void live(int steps) throws IOException {
      for (int i = 0; i < steps; i++) {
        switch (random.nextInt(6)) {
          case 0, 1, 2 -> act();
          case 3 -> host.wake();
          default -> {
            if (host.jobsWaiting() > 0) {
              acts = MOST_ACTS;
              host.runJob();
            }
          }
        }
        if (random.nextInt(300) == 0) {
          driver.disable();
          begin();
        }
        assertThat(nvme.status()).isEqualTo(NvmeRegisters.CSTS_RDY);
        nvme.storage.calls().clear();
      }
      host.meanwhile(() -> {});
      // Completions that nobody took may be what others wait for.
      for (int i = 0; i < 2 * ENTRIES; i++) {
        host.settleUnasked();
        for (int pair = 0; pair < PAIRS; pair++) {
          take(pair);
        }
      }
      assertThat(sent).allSatisfy(each -> assertThat(each).isEmpty());
      assertThat(completed).isPositive();
    }

    /** What the driver does, and what that brings where it is not asked for. */
    private void act() throws IOException {
      int index = random.nextInt(PAIRS);
      switch (random.nextInt(12)) {
        case 0, 1 -> take(index);
        case 2 -> abort(index);
        case 3 -> {
          if (random.nextInt(10) == 0) {
            wait(index);
          }
        }
        default -> submit(index);
      }
    }

    private void submit(int index) throws IOException {
      NvmeQueue pair = pairs[index];
      int most = ENTRIES - 1 - sent.get(index).size();
      for (int i = random.nextInt(most + 1); i > 0; i--) {
        int id = pair.put(command());
        assertThat(sent.get(index).add(id)).isTrue();
      }
      pair.ring();
      wakeIfRung();
    }

    /** A register was written, perhaps; a shadow is only looked at by who looks anyway. */
    private void wakeIfRung() {
      if (!shadow) {
        host.wake();
        return;
      }
      long now = shadows.rings();
      if (now != rings) {
        host.wake();
      }
      rings = now;
    }

    private SubmissionEntry.Builder command() {
      return switch (random.nextInt(8)) {
        case 0 -> NvmeCommands.writeZeroes(0, 1025);
        case 1 -> io(IoOpcode.VERIFY, 0, 1100, buffer);
        case 2 -> io(IoOpcode.READ, random.nextInt(100), 1, far);
        case 3 -> io(IoOpcode.WRITE, random.nextInt(100), 1, far);
        case 4 -> NvmeCommands.flush();
        default -> NvmeCommands.read(random.nextInt(100), 8, new DataPointer(buffer.iova(), 0));
      };
    }

    private void take(int index) throws IOException {
      for (CompletionEntry entry : pairs[index].collect()) {
        assertThat(sent.get(index).remove(entry.commandId())).as("sent, and not done").isTrue();
        assertThat(entry.status()).isIn(Status.SUCCESS, Status.COMMAND_ABORT_REQUESTED);
        completed++;
      }
      pairs[index].ringHead();
      wakeIfRung();
    }

    private void abort(int index) throws IOException {
      driver.admin().collect();
      driver.admin().ringHead();
      if (!sent.get(index).isEmpty() && driver.admin().outstanding() < 20) {
        int id = sent.get(index).iterator().next();
        driver
            .admin()
            .put(SubmissionEntry.builder(AdminOpcode.ABORT).dword(10, index + 1 | id << 16));
        driver.admin().ring();
      }
      host.wake();
    }

    /** Something has to wait from now on, until the controller is enabled again. */
    private void wait(int index) {
      switch (random.nextInt(shadow ? 4 : 2)) {
        case 0 -> byMessages(pairs[index].submissions());
        case 1 -> byMessages(pairs[index].completions());
        case 2 -> byMessages(shadows.shadows());
        default -> byMessages(shadows.events());
      }
    }

    private void byMessages(DmaRange range) {
      host.byMessages(range.iova(), range.length());
    }
  }
}
