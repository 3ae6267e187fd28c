package dev.peerbar.devices.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.drive.FakeMachine;
import dev.peerbar.devices.nvme.drive.NvmeDriver;
import dev.peerbar.devices.nvme.drive.QueuePair;
import dev.peerbar.devices.nvme.drive.TestStorage;
import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.pci.DoorbellMode;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Which doorbell counts, the register or its shadow; and memory that is not there to look at. */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
final class ShadowDoorbellsTest {
  private static final int ENTRIES = 5;

  private final TestStorage storage = new TestStorage(1 << 20);
  private final NvmeEndpoint endpoint =
      new NvmeEndpoint(new NvmeConfig(512, 0, 4, DoorbellMode.TRAP, "TEST"), storage);
  private final FakeMachine machine = new FakeMachine(endpoint);
  private final NvmeDriver driver = new NvmeDriver(machine).enable();
  private final long buffer = driver.allocate(NvmeDriver.PAGE);

  private void runs(QueuePair pair, int count) {
    for (int i = 0; i < count; i++) {
      SubmissionEntry read = driver.io(IoOpcode.READ, i, 1, buffer).build();
      assertThat(pair.run(read).commandId()).isEqualTo(read.commandId());
    }
    assertThat(pair.poll()).isEmpty();
  }

  private void isReady() {
    assertThat(machine.read4(NvmeRegisters.CSTS)).isEqualTo(NvmeRegisters.CSTS_RDY);
  }

  /** The queue of another device, which knows nothing of the driver's shadows. */
  private QueuePair pairOfRegisters(int id) {
    QueuePair pair = driver.createPair(id, ENTRIES);
    pair.shadow(null, null);
    return pair;
  }

  @Test
  void registersAloneAreServedBesideShadows() {
    driver.useShadowDoorbells();
    QueuePair shadowed = driver.createPair(1, ENTRIES);
    QueuePair rung = pairOfRegisters(2);
    for (int i = 0; i < 20; i++) {
      runs(rung, 1 + i % 3);
      runs(shadowed, 1 + i % 2);
    }
    for (int round = 0; round < 10; round++) {
      for (QueuePair pair : new QueuePair[] {rung, shadowed}) {
        for (int i = 0; i < ENTRIES - 1; i++) {
          pair.put(driver.io(IoOpcode.READ, i, 1, buffer).build());
          pair.ring();
        }
      }
      for (int i = 0; i < ENTRIES - 1; i++) {
        rung.await();
        shadowed.await();
      }
    }
    isReady();
  }

  @Test
  void aQueueThatIsOlderMayBeRungEitherWay() {
    QueuePair rung = driver.createPair(1, ENTRIES);
    QueuePair shadowed = driver.createPair(2, ENTRIES);
    runs(rung, 3);
    runs(shadowed, 3);
    driver.useShadowDoorbells();
    shadowed.shadow(driver.shadow(), driver.memory(driver.eventIdx(), NvmeDriver.PAGE));
    runs(rung, 17);
    runs(shadowed, 17);
    isReady();
  }

  /** Posted by a host that uses shadows, and overtaken by what it stored there since. */
  @Test
  void aRegisterWriteThatComesLateMovesNothing() {
    driver.useShadowDoorbells();
    QueuePair pair = driver.createPair(1, ENTRIES);
    runs(pair, 3);
    for (int value = 0; value < ENTRIES; value++) {
      storage.calls().clear();
      machine.write4(NvmeRegisters.submissionDoorbell(1), value);
      machine.write4(NvmeRegisters.completionDoorbell(1), value);
      machine.pass();
      assertThat(storage.calls()).isEmpty();
      runs(pair, 1);
    }
    isReady();
  }

  @Test
  void aQueueThatIsMadeAgainIsJudgedAnew() {
    driver.useShadowDoorbells();
    runs(driver.createPair(1, ENTRIES), 7);
    for (int i = 0; i < 3; i++) {
      driver.need(driver.admin(NvmeDriver.deleteSubmissionQueue(1)));
      driver.need(driver.admin(NvmeDriver.deleteCompletionQueue(1)));
      runs(pairOfRegisters(1), 7);
      driver.need(driver.admin(NvmeDriver.deleteSubmissionQueue(1)));
      driver.need(driver.admin(NvmeDriver.deleteCompletionQueue(1)));
      runs(driver.createPair(1, ENTRIES), 7);
    }
    isReady();
  }

  @Test
  void otherShadowsLeaveNobodyBehind() {
    driver.useShadowDoorbells();
    QueuePair shadowed = driver.createPair(1, ENTRIES);
    QueuePair rung = pairOfRegisters(2);
    for (int i = 0; i < 4; i++) {
      runs(shadowed, 3);
      runs(rung, 3);
      driver.useShadowDoorbells();
      shadowed.shadow(driver.shadow(), driver.memory(driver.eventIdx(), NvmeDriver.PAGE));
    }
    runs(shadowed, 3);
    runs(rung, 3);
    isReady();
  }

  @Test
  void theAdminQueuesMayBeRungEitherWay() {
    driver.useShadowDoorbells();
    SubmissionEntry.Builder command =
        SubmissionEntry.builder(AdminOpcode.GET_FEATURES).dword(10, 7);
    for (int i = 0; i < 50; i++) {
      driver.need(driver.admin(command));
    }
    driver.adminQueue().shadow(driver.shadow(), driver.memory(driver.eventIdx(), NvmeDriver.PAGE));
    for (int i = 0; i < 50; i++) {
      driver.need(driver.admin(command));
      machine.write4(NvmeRegisters.submissionDoorbell(0), 1 + i % 3);
      machine.write4(NvmeRegisters.completionDoorbell(0), 1 + i % 3);
    }
    machine.pass();
    assertThat(driver.adminQueue().poll()).isEmpty();
    isReady();
  }

  /**
   * Takes memory away once a completion is written, for so many transfers; it is there again for
   * the one after them.
   *
   * @param during told how many are to come yet
   */
  private AtomicInteger takeAwayAfterCompletion(int transfers, IntConsumer during) {
    AtomicInteger left = new AtomicInteger(transfers);
    long before = halvesOfCompletions();
    machine
        .host()
        .beforeTransfer(() -> {
          if (left.get() >= 0 && halvesOfCompletions() == before + 2) {
            int now = left.getAndDecrement();
            machine.host().busMaster(now == 0);
            during.accept(now);
          }
        });
    return left;
  }

  private long halvesOfCompletions() {
    return machine.host().journal().stream().filter(it -> it.endsWith("+8")).count();
  }

  /** As when QEMU changes the layout of the guest's memory: it is taken away and put back. */
  @Test
  void memoryThatIsAwayWhileNothingIsUnderWayIsNoFault() {
    driver.useShadowDoorbells();
    QueuePair pair = driver.createPair(1, ENTRIES);
    runs(pair, 3);
    for (int away = 1; away < 12; away++) {
      AtomicInteger left = takeAwayAfterCompletion(away, _ -> {});
      runs(pair, 1);
      assertThat(left.get()).as("looked for as long as it was away").isNegative();
      isReady();
      runs(pair, 3);
      isReady();
    }
  }

  /** What the host adds meanwhile it does not ring for: it was not told to. */
  @Test
  void whatIsAddedWhileMemoryIsAwayIsFound() {
    driver.useShadowDoorbells();
    QueuePair pair = driver.createPair(1, ENTRIES);
    runs(pair, 3);
    SubmissionEntry added = driver.io(IoOpcode.READ, 1, 1, buffer).build();
    AtomicInteger rings = new AtomicInteger();
    takeAwayAfterCompletion(
        8,
        left -> {
          if (left == 4) {
            int before = pair.doorbells();
            pair.put(added);
            pair.ring();
            rings.set(pair.doorbells() - before);
          }
        });
    pair.put(driver.io(IoOpcode.READ, 0, 1, buffer).build());
    pair.ring();
    pair.await();
    assertThat(pair.await().commandId()).isEqualTo(added.commandId());
    assertThat(rings.get()).as("the host had not been told to ring").isZero();
    isReady();
  }

  /** A ring, late or not, while memory is away for a moment. */
  @Test
  void aRingIsLookedAtOnceMemoryIsBack() {
    driver.useShadowDoorbells();
    QueuePair pair = driver.createPair(1, ENTRIES);
    runs(pair, 3);
    for (int away = 1; away < 8; away++) {
      AtomicInteger left = new AtomicInteger(away);
      machine.host().busMaster(false);
      machine
          .host()
          .beforeTransfer(() -> {
            if (left.getAndDecrement() == 0) {
              machine.host().busMaster(true);
            }
          });
      if (away % 2 == 0) {
        machine.write4(NvmeRegisters.submissionDoorbell(1), 1);
        machine.pass();
      }
      runs(pair, 1);
      isReady();
    }
  }

  /** Half of the old value and half of the new one: a doorbell that was never rung. */
  @Test
  void aValueThatWasTornInReadingIsNotTaken() {
    driver.useShadowDoorbells();
    QueuePair pair = driver.createPair(1, ENTRIES);
    // What is left to do for the admin queues.
    machine.pass();
    pair.put(driver.io(IoOpcode.READ, 0, 1, buffer).build());
    pair.ring();
    AtomicInteger transfers = new AtomicInteger();
    machine
        .host()
        .beforeTransfer(() -> {
          // All doorbells first, then the one that has moved.
          int transfer = transfers.incrementAndGet();
          if (transfer == 2 || transfer == 3) {
            driver.shadow().set(ValueLayout.JAVA_INT, 8, transfer == 2 ? 3 : 1);
          }
        });
    machine.pass();
    assertThat(storage.calls()).hasSize(1);
    assertThat(pair.poll()).isPresent();
    assertThat(pair.poll()).isEmpty();
    isReady();
  }

  @Test
  void commandsWhoseDoorbellCannotBeLookedAtAreFatal() {
    driver.useShadowDoorbells();
    QueuePair pair = driver.createPair(1, ENTRIES);
    runs(pair, 3);
    machine.host().busMaster(false);
    pair.put(driver.io(IoOpcode.READ, 0, 1, buffer).build());
    machine.write4(NvmeRegisters.submissionDoorbell(1), 4);
    machine.pass();
    assertThat(machine.read4(NvmeRegisters.CSTS) & NvmeRegisters.CSTS_CFS).isNotZero();
    machine.host().busMaster(true);
  }

  @Test
  void adminShadowsThatAreAwayAreNoFaultEither() {
    driver.useShadowDoorbells();
    SubmissionEntry.Builder command =
        SubmissionEntry.builder(AdminOpcode.GET_FEATURES).dword(10, 7);
    for (boolean used : new boolean[] {false, true}) {
      for (int away = 1; away < 5; away++) {
        takeAwayAfterCompletion(away, _ -> {});
        driver.need(driver.admin(command));
        machine.host().beforeTransfer(() -> {});
        machine.host().busMaster(true);
        machine.pass();
        isReady();
        driver.need(driver.admin(command));
      }
      driver
          .adminQueue()
          .shadow(driver.shadow(), driver.memory(driver.eventIdx(), NvmeDriver.PAGE));
    }
    runs(driver.createPair(1, ENTRIES), 3);
    isReady();
  }
}
