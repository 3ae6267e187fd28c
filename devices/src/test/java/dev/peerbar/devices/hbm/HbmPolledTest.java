package dev.peerbar.devices.hbm;

import static dev.peerbar.devices.hbm.Descriptor.copy;
import static dev.peerbar.devices.hbm.Descriptor.crc32c;
import static dev.peerbar.devices.hbm.Descriptor.fill;
import static dev.peerbar.devices.hbm.Descriptor.immediate;
import static dev.peerbar.devices.hbm.Descriptor.nop;
import static dev.peerbar.devices.hbm.HbmFixture.RAM;
import static dev.peerbar.devices.hbm.HbmFixture.RECORD;
import static dev.peerbar.devices.hbm.HbmFixture.RING;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.fake.WherePolled;
import dev.peerbar.driver.hbm.Completion;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.ResetKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A channel between the function's thread, which looks for its work, and its engine. */
@WherePolled
@Timeout(value = 2, unit = TimeUnit.MINUTES)
final class HbmPolledTest {
  private static final int IDLE = 0;
  private static final int HALTED = 2;
  private static final int ABORTED = 3;

  private static final long CTRL = 0x1000;
  private static final int ENABLE = 1;
  private static final int ABORT = 2;

  /** Memory that polled work must leave alone. */
  private static final long FAR = 0x5000_0000L;

  private final HbmFixture hbm;
  private final MemorySegment far;

  HbmPolledTest(Engine.Polling polling) {
    hbm = new HbmFixture(polling).enable();
    far = hbm.host.mapByMessages(FAR, 1 << 20);
  }

  /** What is done where the doorbell rings. */
  private void isDoneInPlace(int count) {
    hbm.host.wake();
    assertThat(hbm.completed()).isEqualTo(count);
  }

  private void isAway() {
    assertThat(hbm.host.jobsWaiting()).isEqualTo(1);
  }

  private void isDone(int count) {
    hbm.host.settleUnasked();
    assertThat(hbm.completed()).isEqualTo(count);
    assertThat(hbm.state()).isEqualTo(IDLE);
    assertThat(hbm.fault()).isZero();
  }

  @Test
  void whatIsShortIsDoneInPlace() {
    hbm.put(copy(64).from(RAM).toLocal(0)).put(nop().interrupt().recordAt(RECORD).tag(3)).ring();
    isDoneInPlace(2);
    assertThat(hbm.host.jobsWaiting()).isZero();
    assertThat(hbm.memory(0, 64)).isEqualTo(hbm.ram(RAM, 64));
    assertThat(hbm.record()).isEqualTo(new Completion(1, 0, 0, 0, 3));
    assertThat(hbm.host.raised()).containsExactly(1);
  }

  static Stream<Descriptor> mustWait() {
    return Stream.of(
        copy(64).from(FAR).toLocal(0),
        copy(64).fromLocal(0).to(FAR),
        copy(64).from(RAM).to(FAR),
        copy(129 << 10).from(RAM).toLocal(0),
        copy(129 << 10).fromLocal(0).toLocal(0x8_0000),
        fill(7, 300 << 10).toLocal(0),
        crc32c(300 << 10).from(RAM),
        immediate(3, 8).to(FAR),
        nop().recordAt(FAR));
  }

  /** It, and what is behind it, is the engine's; what comes after that is done in place again. */
  @ParameterizedTest
  @MethodSource("mustWait")
  void whatMustWaitIsHandedOverWithWhatIsBehindIt(Descriptor waits) {
    hbm.put(nop()).put(nop()).put(waits).put(nop().interrupt()).ring();
    isDoneInPlace(2);
    isAway();
    assertThat(hbm.host.raised()).isEmpty();
    isDone(4);
    assertThat(hbm.host.raised()).containsExactly(1);

    hbm.put(nop()).ring();
    isDoneInPlace(5);
    assertThat(hbm.host.jobsWaiting()).isZero();
  }

  @Test
  void aRingThatMustWaitIsTheEngines() {
    hbm.host.byMessages(RING, HbmFixture.ENTRIES * 64);
    for (int i = 0; i < 20; i++) {
      hbm.put(immediate(i, 8).toLocal(i * 8L)).put(nop()).ring();
      isDoneInPlace(2 * i);
      isAway();
      isDone(2 * i + 2);
      assertThat(hbm.memory(i * 8L, 1)).containsExactly(i);
    }
  }

  /** Bytes before those that must wait have been moved, and are moved again. */
  @Test
  void aCopyIntoMemoryThatMustWaitIsBegunAgain() {
    long near = FAR + (1 << 20);
    MemorySegment beyond = hbm.host.map(near, 4096);
    hbm.put(copy(256).from(RAM).to(near - 128).recordAt(RECORD).tag(9)).ring();
    isDoneInPlace(0);
    hbm.put(copy(256).from(RAM + 256).to(near + 64)).ring();
    isDone(2);
    assertThat(far.asSlice((1 << 20) - 128, 128).toArray(ValueLayout.JAVA_BYTE))
        .isEqualTo(hbm.ram(RAM, 128));
    assertThat(beyond.asSlice(0, 64).toArray(ValueLayout.JAVA_BYTE))
        .isEqualTo(hbm.ram(RAM + 128, 64));
    assertThat(hbm.record()).as("counted once").isEqualTo(new Completion(1, 0, 256, 0, 9));
  }

  /** A record whose flag must wait: the body is written twice, the interrupt raised once. */
  @Test
  void aRecordIsWrittenOverAgain() {
    hbm.host.byMessages(RECORD, 4);
    hbm.ram.asSlice(RECORD - RAM, 64).fill((byte) 0);
    hbm.put(immediate(5, 8).toLocal(0).recordAt(RECORD).tag(4).interrupt()).ring();
    isDoneInPlace(0);
    assertThat(hbm.record().status()).isZero();
    assertThat(hbm.host.raised()).isEmpty();
    isDone(1);
    assertThat(hbm.record()).isEqualTo(new Completion(1, 0, 8, 0, 4));
    assertThat(hbm.host.raised()).containsExactly(1);
  }

  /** Nobody looks while a job is away, nor tells when it is over unless there is more. */
  @Test
  void whatBecomesValidMeanwhileIsDoneOnceTheJobIsOver() {
    hbm.put(nop().recordAt(FAR)).ring();
    isDoneInPlace(0);
    int[] transfers = {0};
    hbm.host.meanwhile(() -> {
      if (++transfers[0] == 2) {
        hbm.put(immediate(1, 8).toLocal(0).interrupt()).ring();
        hbm.host.wake();
        assertThat(hbm.host.jobsWaiting()).as("one at a time").isZero();
        assertThat(hbm.completed()).isZero();
      }
    });
    hbm.host.runJob();
    assertThat(hbm.host.updatesWaiting()).isEqualTo(1);
    isDone(2);
    assertThat(hbm.memory(0, 1)).containsExactly(1);
    assertThat(hbm.host.raised()).containsExactly(1);
  }

  @Test
  void aJobThatHasDoneAllWakesNobody() {
    hbm.put(nop().recordAt(FAR)).ring();
    isDoneInPlace(0);
    hbm.host.runJob();
    assertThat(hbm.host.updatesWaiting()).isZero();
    isDone(1);
  }

  @Test
  void aFaultOfTheJobHaltsTheChannel() {
    hbm.put(copy(64).from(FAR).to(HbmFixture.UNMAPPED)).put(nop()).ring();
    isDoneInPlace(0);
    hbm.put(nop()).ring();
    hbm.host.wake();
    hbm.host.settleUnasked();
    assertThat(hbm.state()).isEqualTo(HALTED);
    assertThat(hbm.completed()).isZero();
    assertThat(hbm.faultAddress()).isEqualTo(HbmFixture.UNMAPPED);
    assertThat(hbm.host.raised()).containsExactly(1, 0);

    hbm.enable().put(nop()).ring();
    isDoneInPlace(1);
  }

  @Test
  void aJobThatThrowsHaltsTheChannel() {
    hbm.put(nop().recordAt(FAR)).put(nop()).ring();
    isDoneInPlace(0);
    hbm.host.meanwhile(() -> {
      throw new OutOfMemoryError();
    });
    hbm.host.settleUnasked();
    assertThat(hbm.state()).isEqualTo(HALTED);
    assertThat(hbm.error()).isEqualTo(5);
    hbm.host.meanwhile(() -> {});
    hbm.enable().put(nop()).ring();
    isDoneInPlace(1);
  }

  private enum End {
    ABORT,
    DISABLE,
    RESET
  }

  private void end(End how) {
    switch (how) {
      case ABORT -> hbm.write4(CTRL, ABORT);
      case DISABLE -> hbm.write4(CTRL, 0);
      case RESET -> hbm.host.reset(ResetKind.FUNCTION_LEVEL);
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatIsHandedOverEndsWithItsChannel(End how) {
    hbm.put(copy(64).from(RAM).to(FAR)).put(nop().interrupt()).ring();
    isDoneInPlace(0);
    isAway();
    end(how);
    hbm.host.settle();
    assertThat(hbm.state()).isEqualTo(how == End.ABORT ? ABORTED : IDLE);
    assertThat(hbm.completed()).isZero();
    assertThat(far.asSlice(0, 64).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    assertThat(hbm.host.raised()).isEmpty();

    hbm.enable().put(nop()).ring();
    hbm.host.settle();
    assertThat(hbm.completed()).isEqualTo(1);
  }

  /** What was ended may yet be inside a descriptor, with what all descriptors are done with. */
  @ParameterizedTest
  @EnumSource
  void nothingIsDoneInPlaceWhileTheEngineHasNotLeft(End how) {
    hbm.put(copy(64).from(RAM).to(FAR)).ring();
    isDoneInPlace(0);
    boolean[] once = {false};
    hbm.host.meanwhile(() -> {
      if (!once[0]) {
        once[0] = true;
        for (int i = 0; i < 2; i++) {
          end(how);
          hbm.enable().put(immediate(1, 8).toLocal(0).recordAt(RECORD).tag(6)).ring();
          hbm.host.wake();
          assertThat(hbm.completed()).isZero();
        }
      }
    });
    hbm.host.runJob();
    assertThat(hbm.completed()).isZero();
    isDone(1);
    assertThat(hbm.record()).isEqualTo(new Completion(1, 0, 8, 0, 6));
    assertThat(far.asSlice(0, 64).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);

    hbm.put(nop()).ring();
    isDoneInPlace(2);
  }

  @Test
  void aPauseKeepsWhatIsHandedOver() {
    hbm.put(nop()).put(copy(64).from(RAM).to(FAR)).put(nop().interrupt()).ring();
    isDoneInPlace(1);
    isAway();
    hbm.host.pause();
    hbm.host.settle();
    assertThat(hbm.head()).isEqualTo(1);
    assertThat(hbm.completed()).isEqualTo(1);
    hbm.endpoint.resume();
    hbm.host.settle();
    assertThat(hbm.head()).isEqualTo(3);
    assertThat(hbm.completed()).isEqualTo(3);
    assertThat(hbm.host.raised()).containsExactly(1);
  }

  /** The engines' if the host looks now and then only; on and on here if it always does. */
  @Test
  void aBacklogIsTheEnginesUnlessThisIsAllTheHostDoes() {
    int entries = 256;
    hbm.write4(CTRL, 0);
    hbm.host.map(RING, entries * 64);
    hbm.write4(0x1010, entries);
    hbm.write4(CTRL, ENABLE);
    hbm.ringDoorbell(entries - 1);
    hbm.host.beforeTransfer(() -> {
      long until = System.nanoTime() + 30_000;
      while (System.nanoTime() < until) {
        Thread.onSpinWait();
      }
    });
    assertThat(hbm.host.look()).isTrue();
    assertThat(hbm.completed()).isBetween(16L, entries - 2L);
    boolean briefly = hbm.polling == Engine.Polling.BRIEFLY;
    assertThat(hbm.host.jobsWaiting()).isEqualTo(briefly ? 1 : 0);
    assertThat(hbm.host.look()).isEqualTo(!briefly);
    hbm.host.wake();
    isDone(entries - 1);
  }

  /** Everything at once, in all orders: nothing is lost, done twice, or out of order. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
  void nothingIsLostOrDoneTwice(long seed) {
    new Life(seed).live(1_000);
  }

  /** A driver that does things at random, and a host that does. */
  private final class Life {
    private static final int PLACES = 64;

    private final Random random;
    private final long[] local = new long[PLACES];
    private final long[] remote = new long[PLACES];
    private long issued;
    private long done;
    private boolean amid;

    Life(long seed) {
      random = new Random(seed);
      hbm.host.meanwhile(() -> {
        if (random.nextInt(4) == 0 && !amid) {
          amid = true;
          act();
          amid = false;
        }
      });
    }

    void live(int steps) {
      for (int i = 0; i < steps; i++) {
        switch (random.nextInt(5)) {
          case 0, 1 -> act();
          case 2 -> hbm.host.wake();
          case 3 -> {
            if (hbm.host.jobsWaiting() > 0) {
              hbm.host.runJob();
            }
          }
          default -> check();
        }
      }
      hbm.host.meanwhile(() -> {});
      hbm.host.settleUnasked();
      check();
      assertThat(done).isEqualTo(issued);
      assertThat(hbm.state()).isEqualTo(IDLE);
      for (int i = 0; i < PLACES; i++) {
        if (local[i] != 0) {
          assertThat(hbm.memory.get(Descriptor.LONG, i * 8L)).isEqualTo(local[i]);
        }
        if (remote[i] != 0) {
          assertThat(far.get(Descriptor.LONG, i * 8L)).isEqualTo(remote[i]);
        }
      }
    }

    /** What the function's thread does: an access, and what that brings. */
    private void act() {
      if (random.nextInt(30) == 0) {
        restart();
      } else {
        check();
        int most = (int) (HbmFixture.ENTRIES - 1 - (issued - done));
        for (int i = random.nextInt(most + 1); i > 0; i--) {
          issued++;
          hbm.put(descriptor());
        }
        hbm.ring();
      }
      hbm.host.wake();
    }

    private Descriptor descriptor() {
      int place = (int) (issued % PLACES);
      int kind = random.nextInt(6);
      if (kind == 0) {
        remote[place] = issued;
      } else if (kind != 2) {
        local[place] = issued;
      }
      Descriptor each =
          switch (kind) {
            case 0 -> immediate(issued, 8).to(FAR + place * 8L);
            case 1 -> immediate(issued, 8).toLocal(place * 8L).recordAt(FAR + 4096);
            case 2 -> fill(issued, 300 << 10).toLocal(4096);
            default -> immediate(issued, 8).toLocal(place * 8L);
          };
      return random.nextBoolean() ? each.interrupt() : each;
    }

    private void restart() {
      end(End.values()[random.nextInt(End.values().length)]);
      hbm.enable();
      issued = 0;
      done = 0;
      // Of those that were under way nobody knows.
      Arrays.fill(local, 0);
      Arrays.fill(remote, 0);
    }

    private void check() {
      long now = hbm.completed();
      assertThat(now).isBetween(done, issued);
      done = now;
    }
  }
}
