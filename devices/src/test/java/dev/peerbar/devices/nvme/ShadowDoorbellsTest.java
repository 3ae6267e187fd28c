package dev.peerbar.devices.nvme;

import static dev.peerbar.devices.nvme.NvmeFixture.io;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.driver.nvme.Doorbells;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.nvme.ShadowDoorbells;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.DoorbellMode;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Which doorbell counts, the register or its shadow; and memory that is not there to look at. */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
@InEveryMode
final class ShadowDoorbellsTest {
  private static final int ENTRIES = 5;

  /**
   * How often the machine may be in the way. A worker whose last commands were slow tells the host
   * to ring before it begins the next one, and need not look for long after it.
   */
  private static final int MOST_ATTEMPTS = 100;

  private final NvmeFixture nvme;
  private final TestStorage storage;
  private final FakeHost host;
  private final NvmeDriver driver;
  private DmaRange buffer;

  ShadowDoorbellsTest(Engine.Polling polling) {
    nvme = new NvmeFixture(polling, new NvmeConfig(512, 0, 4, DoorbellMode.TRAP, "TEST"));
    storage = nvme.storage;
    host = nvme.host;
    driver = nvme.driver;
  }

  @BeforeEach
  void enable() throws IOException {
    driver.enable();
    buffer = driver.allocate(NvmeDriver.PAGE);
  }

  private void runs(NvmeQueue pair, int count) throws IOException {
    for (int i = 0; i < count; i++) {
      int given = pair.nextCommandId();
      assertThat(pair.execute(io(IoOpcode.READ, i, 1, buffer)).commandId()).isEqualTo(given);
    }
    assertThat(pair.poll()).isEmpty();
  }

  private void isReady() {
    assertThat(nvme.read4(NvmeRegisters.CSTS)).isEqualTo(NvmeRegisters.CSTS_RDY);
  }

  /** The queue of another device, which knows nothing of the driver's shadows. */
  private NvmeQueue pairOfRegisters(int id) throws IOException {
    NvmeQueue pair = driver.createQueue(id, ENTRIES);
    pair.ringBy(new Doorbells.Registers(driver.registers()));
    return pair;
  }

  @Test
  void registersAloneAreServedBesideShadows() throws IOException {
    driver.ringByShadows();
    NvmeQueue shadowed = driver.createQueue(1, ENTRIES);
    NvmeQueue rung = pairOfRegisters(2);
    for (int i = 0; i < 20; i++) {
      runs(rung, 1 + i % 3);
      runs(shadowed, 1 + i % 2);
    }
    for (int round = 0; round < 10; round++) {
      for (NvmeQueue pair : new NvmeQueue[] {rung, shadowed}) {
        for (int i = 0; i < ENTRIES - 1; i++) {
          pair.put(io(IoOpcode.READ, i, 1, buffer));
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
  void aQueueThatIsOlderMayBeRungEitherWay() throws IOException {
    NvmeQueue rung = driver.createQueue(1, ENTRIES);
    NvmeQueue shadowed = driver.createQueue(2, ENTRIES);
    runs(rung, 3);
    runs(shadowed, 3);
    shadowed.ringBy(driver.ringByShadows());
    runs(rung, 17);
    runs(shadowed, 17);
    isReady();
  }

  /** Posted by a host that uses shadows, and overtaken by what it stored there since. */
  @Test
  void aRegisterWriteThatComesLateMovesNothing() throws IOException {
    driver.ringByShadows();
    NvmeQueue pair = driver.createQueue(1, ENTRIES);
    runs(pair, 3);
    for (int value = 0; value < ENTRIES; value++) {
      storage.calls().clear();
      nvme.write4(NvmeRegisters.submissionDoorbell(1), value);
      nvme.write4(NvmeRegisters.completionDoorbell(1), value);
      host.settle();
      assertThat(storage.calls()).isEmpty();
      runs(pair, 1);
    }
    isReady();
  }

  @Test
  void aQueueThatIsMadeAgainIsJudgedAnew() throws IOException {
    driver.ringByShadows();
    runs(driver.createQueue(1, ENTRIES), 7);
    for (int i = 0; i < 3; i++) {
      driver.admin().succeed(NvmeCommands.deleteSubmissionQueue(1));
      driver.admin().succeed(NvmeCommands.deleteCompletionQueue(1));
      runs(pairOfRegisters(1), 7);
      driver.admin().succeed(NvmeCommands.deleteSubmissionQueue(1));
      driver.admin().succeed(NvmeCommands.deleteCompletionQueue(1));
      runs(driver.createQueue(1, ENTRIES), 7);
    }
    isReady();
  }

  @Test
  void otherShadowsLeaveNobodyBehind() throws IOException {
    driver.ringByShadows();
    NvmeQueue shadowed = driver.createQueue(1, ENTRIES);
    NvmeQueue rung = pairOfRegisters(2);
    for (int i = 0; i < 4; i++) {
      runs(shadowed, 3);
      runs(rung, 3);
      shadowed.ringBy(driver.ringByShadows());
    }
    runs(shadowed, 3);
    runs(rung, 3);
    isReady();
  }

  @Test
  void theAdminQueuesMayBeRungEitherWay() throws IOException {
    ShadowDoorbells shadows = driver.ringByShadows();
    SubmissionEntry.Builder command =
        SubmissionEntry.builder(AdminOpcode.GET_FEATURES).dword(10, 7);
    for (int i = 0; i < 50; i++) {
      driver.admin().succeed(command);
    }
    driver.admin().ringBy(shadows);
    for (int i = 0; i < 50; i++) {
      driver.admin().succeed(command);
      nvme.write4(NvmeRegisters.submissionDoorbell(0), 1 + i % 3);
      nvme.write4(NvmeRegisters.completionDoorbell(0), 1 + i % 3);
    }
    host.settle();
    assertThat(driver.admin().poll()).isEmpty();
    isReady();
  }

  /** What a driver does meanwhile. */
  private interface During {
    void left(int transfers) throws IOException;
  }

  /**
   * Takes memory away once a completion is written, for so many transfers; it is there again for
   * the one after them.
   *
   * @param during told how many are to come yet
   */
  private AtomicInteger takeAwayAfterCompletion(int transfers, During during) {
    AtomicInteger left = new AtomicInteger(transfers);
    long before = halvesOfCompletions();
    host.beforeTransfer(() -> {
      if (left.get() >= 0 && halvesOfCompletions() == before + 2) {
        int now = left.getAndDecrement();
        host.busMaster(now == 0);
        try {
          during.left(now);
        } catch (IOException e) {
          throw new AssertionError(e);
        }
      }
    });
    return left;
  }

  private long halvesOfCompletions() {
    return host.journal().stream().filter(it -> it.endsWith("+8")).count();
  }

  /** As when QEMU changes the layout of the guest's memory: it is taken away and put back. */
  @Test
  void memoryThatIsAwayWhileNothingIsUnderWayIsNoFault() throws IOException {
    ShadowDoorbells shadows = driver.ringByShadows();
    NvmeQueue pair = driver.createQueue(1, ENTRIES);
    runs(pair, 3);
    for (int away = 1; away < 12; away++) {
      for (int attempt = 0; !looksFor(away, pair, shadows); attempt++) {
        assertThat(attempt).as("attempts").isLessThan(MOST_ATTEMPTS);
      }
    }
  }

  /** Returns whether the endpoint has looked for as long as memory was away. */
  private boolean looksFor(int away, NvmeQueue pair, ShadowDoorbells shadows) throws IOException {
    AtomicInteger left = takeAwayAfterCompletion(away, _ -> {});
    runs(pair, 1);
    boolean looked = left.get() < 0;
    putBack();
    isReady();
    long rings = shadows.rings();
    runs(pair, 3);
    if (!looked) {
      assertThat(shadows.rings()).as("it rings where nobody looks").isGreaterThan(rings);
    }
    isReady();
    return looked;
  }

  private void putBack() {
    host.beforeTransfer(() -> {});
    host.busMaster(true);
  }

  /** What the host adds meanwhile it does not ring for: it was not told to. */
  @Test
  void whatIsAddedWhileMemoryIsAwayIsFound() throws IOException {
    ShadowDoorbells shadows = driver.ringByShadows();
    NvmeQueue pair = driver.createQueue(1, ENTRIES);
    runs(pair, 3);
    for (int attempt = 0; !isFoundUnasked(pair, shadows); attempt++) {
      assertThat(attempt).as("attempts").isLessThan(MOST_ATTEMPTS);
    }
  }

  /** Returns whether the endpoint had not told the host to ring for what that added. */
  private boolean isFoundUnasked(NvmeQueue pair, ShadowDoorbells shadows) throws IOException {
    AtomicInteger added = new AtomicInteger(-1);
    AtomicLong rings = new AtomicLong();
    takeAwayAfterCompletion(
        8,
        left -> {
          if (left == 4) {
            long before = shadows.rings();
            added.set(pair.put(io(IoOpcode.READ, 1, 1, buffer)));
            pair.ring();
            rings.set(shadows.rings() - before);
          }
        });
    pair.put(io(IoOpcode.READ, 0, 1, buffer));
    pair.ring();
    pair.await();
    if (added.get() >= 0) {
      assertThat(pair.await().commandId()).isEqualTo(added.get());
    }
    putBack();
    isReady();
    return added.get() >= 0 && rings.get() == 0;
  }

  /** A ring, late or not, while memory is away for a moment. */
  @Test
  void aRingIsLookedAtOnceMemoryIsBack() throws IOException {
    driver.ringByShadows();
    NvmeQueue pair = driver.createQueue(1, ENTRIES);
    runs(pair, 3);
    for (int away = 1; away < 8; away++) {
      AtomicInteger left = new AtomicInteger(away);
      host.busMaster(false);
      host.beforeTransfer(() -> {
        if (left.getAndDecrement() == 0) {
          host.busMaster(true);
        }
      });
      if (away % 2 == 0) {
        nvme.write4(NvmeRegisters.submissionDoorbell(1), 1);
        host.settle();
      }
      runs(pair, 1);
      isReady();
    }
  }

  /** Half of the old value and half of the new one: a doorbell that was never rung. */
  @Test
  void aValueThatWasTornInReadingIsNotTaken() throws IOException {
    ShadowDoorbells shadows = driver.ringByShadows();
    NvmeQueue pair = driver.createQueue(1, ENTRIES);
    // What is left to do for the admin queues.
    host.settle();
    pair.put(io(IoOpcode.READ, 0, 1, buffer));
    pair.ring();
    AtomicInteger transfers = new AtomicInteger();
    host.beforeTransfer(() -> {
      // All doorbells first, then the one that has moved.
      int transfer = transfers.incrementAndGet();
      if (transfer == 2 || transfer == 3) {
        shadows.shadows().segment().set(ValueLayout.JAVA_INT, 8, transfer == 2 ? 3 : 1);
      }
    });
    host.settle();
    assertThat(storage.calls()).hasSize(1);
    assertThat(pair.poll()).isPresent();
    assertThat(pair.poll()).isEmpty();
    isReady();
  }

  @Test
  void commandsWhoseDoorbellCannotBeLookedAtAreFatal() throws IOException {
    driver.ringByShadows();
    NvmeQueue pair = driver.createQueue(1, ENTRIES);
    runs(pair, 3);
    host.busMaster(false);
    pair.put(io(IoOpcode.READ, 0, 1, buffer));
    nvme.write4(NvmeRegisters.submissionDoorbell(1), 4);
    host.settle();
    assertThat(nvme.read4(NvmeRegisters.CSTS) & NvmeRegisters.CSTS_CFS).isNotZero();
    host.busMaster(true);
  }

  @Test
  void adminShadowsThatAreAwayAreNoFaultEither() throws IOException {
    ShadowDoorbells shadows = driver.ringByShadows();
    SubmissionEntry.Builder command =
        SubmissionEntry.builder(AdminOpcode.GET_FEATURES).dword(10, 7);
    for (boolean used : new boolean[] {false, true}) {
      for (int away = 1; away < 5; away++) {
        takeAwayAfterCompletion(away, _ -> {});
        driver.admin().succeed(command);
        host.beforeTransfer(() -> {});
        host.busMaster(true);
        host.settle();
        isReady();
        driver.admin().succeed(command);
      }
      driver.admin().ringBy(shadows);
    }
    runs(driver.createQueue(1, ENTRIES), 3);
    isReady();
  }
}
