package dev.peerbar.devices.hbm;

import static dev.peerbar.devices.hbm.Descriptor.copy;
import static dev.peerbar.devices.hbm.Descriptor.crc32c;
import static dev.peerbar.devices.hbm.Descriptor.fill;
import static dev.peerbar.devices.hbm.Descriptor.immediate;
import static dev.peerbar.devices.hbm.Descriptor.nop;
import static dev.peerbar.devices.hbm.HbmFixture.RAM;
import static dev.peerbar.devices.hbm.HbmFixture.RECORD;
import static dev.peerbar.devices.hbm.HbmFixture.RING;
import static dev.peerbar.devices.hbm.HbmFixture.UNMAPPED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.driver.hbm.Completion;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.pci.ResetKind;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@InEveryMode
final class HbmChannelTest {
  private static final int IDLE = 0;
  private static final int RUNNING = 1;
  private static final int HALTED = 2;
  private static final int ABORTED = 3;
  private static final long CTRL = 0x1000;
  private static final int ENABLE = 1;
  private static final int ABORT = 2;

  private final HbmFixture hbm;

  HbmChannelTest(Engine.Polling polling) {
    hbm = new HbmFixture(polling).enable();
  }

  /** The endpoint's own work throws, by a mistake or for want of memory. */
  @Nested
  final class Broken {

    static Stream<Throwable> whatIsThrown() {
      return Stream.of(
          new IllegalStateException("broken"), new OutOfMemoryError(), new StackOverflowError());
    }

    /** From the nth transfer of a job on, the first being that of the ring. */
    private void breakAt(int transfer, Throwable thrown) {
      int[] transfers = {0};
      hbm.host.beforeTransfer(() -> {
        if (++transfers[0] >= transfer) {
          Broken.<RuntimeException>raise(thrown);
        }
      });
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void raise(Throwable thrown) throws T {
      throw (T) thrown;
    }

    private void isHalted(int head) {
      assertThat(hbm.state()).isEqualTo(HALTED);
      assertThat(hbm.error()).isEqualTo(5);
      assertThat(hbm.head()).isEqualTo(head);
      assertThat(hbm.completed()).isEqualTo(head);
      assertThat(hbm.read4(CTRL)).isZero();
      assertThat(hbm.status()).isEqualTo(5);
      assertThat(hbm.fault()).isEqualTo(5L << 16 | 1);
      assertThat(hbm.faultAddress()).isZero();
    }

    @ParameterizedTest
    @MethodSource("whatIsThrown")
    void haltsTheChannel(Throwable thrown) {
      breakAt(2, thrown);

      hbm.run(nop(), copy(64).from(RAM).toLocal(0).interrupt(), nop());

      // Before a register is read, which looks what the engine has done.
      assertThat(hbm.host.raised()).containsExactly(1, 0);
      isHalted(1);
    }

    @ParameterizedTest
    @MethodSource("whatIsThrown")
    void haltsTheChannelThatFetches(Throwable thrown) {
      breakAt(1, thrown);

      hbm.run(nop());

      assertThat(hbm.host.raised()).containsExactly(1, 0);
      isHalted(0);
    }

    @Test
    void haltsBeforeTheHostHasTold() {
      breakAt(1, new IllegalStateException("broken"));
      hbm.put(nop()).ring();
      hbm.host.runJob();

      isHalted(0);
      hbm.host.settle();
      assertThat(hbm.host.raised()).as("once each").containsExactly(1, 0);
    }

    @Test
    void saysSoInTheRecord() {
      boolean[] thrown = {false};
      int[] transfers = {0};
      hbm.host.beforeTransfer(() -> {
        if (++transfers[0] == 2) {
          thrown[0] = true;
          throw new IllegalStateException("broken");
        }
      });

      hbm.run(copy(64).from(RAM).toLocal(0).recordAt(RECORD).tag(7));

      assertThat(thrown[0]).isTrue();
      isHalted(0);
      assertThat(hbm.record()).isEqualTo(new Completion(2, 5, 0, 0, 7));
    }

    @Test
    void haltsWhenAnUpdateThrows() {
      hbm.host.holdInterrupts(true);
      int[] raised = {0};
      hbm.host.atRaise(() -> {
        if (++raised[0] == 1) {
          throw new IllegalStateException("broken");
        }
      });

      hbm.run(nop().interrupt());

      isHalted(1);
      assertThat(hbm.host.raised()).containsExactly(1, 1, 0);
    }

    /** Its last entry is complete, but nobody may have been told. */
    @Test
    void haltsWhenTheRunHasHandedOver() {
      hbm.host.mustWait(true);
      hbm.host.beforeSignal(() -> {
        hbm.put(nop()).ring();
        throw new IllegalStateException("broken");
      });
      hbm.put(nop().interrupt()).ring();
      hbm.host.runJob();
      hbm.host.runUpdates();

      isHalted(1);
      assertThat(hbm.host.raised()).containsExactly(1, 0);
    }

    @Test
    void isNothingToAChannelThatWasEnabledAgain() {
      hbm.host.mustWait(true);
      hbm.host.beforeSignal(() -> {
        hbm.put(nop()).ring();
        hbm.write4(CTRL, 0);
        hbm.enable();
        throw new IllegalStateException("broken");
      });
      hbm.put(nop().interrupt()).ring();
      hbm.host.settle();

      assertThat(hbm.state()).isEqualTo(IDLE);
      assertThat(hbm.read4(CTRL)).isEqualTo(ENABLE);
      assertThat(hbm.fault()).isZero();
      assertThat(hbm.host.raised()).isEmpty();
    }

    @Test
    void isNothingAfterAReset() {
      breakAt(1, new IllegalStateException("broken"));
      hbm.put(nop()).ring();
      hbm.host.runJob();

      hbm.host.reset(ResetKind.FUNCTION_LEVEL);
      hbm.host.settle();

      assertThat(hbm.state()).isEqualTo(IDLE);
      assertThat(hbm.fault()).isZero();
      assertThat(hbm.host.raised()).isEmpty();
    }

    @Test
    void startsAfresh() {
      breakAt(1, new IllegalStateException("broken"));
      hbm.run(nop());
      hbm.host.beforeTransfer(() -> {});

      hbm.enable().run(nop(), nop());

      assertThat(hbm.error()).isZero();
      assertThat(hbm.head()).isEqualTo(2);
      assertThat(hbm.state()).isEqualTo(IDLE);
    }
  }

  @Nested
  final class Running {

    @Test
    void doesNothingUntilTheDoorbell() {
      hbm.put(nop());

      assertThat(hbm.host.jobsWaiting()).isZero();
      assertThat(hbm.state()).isEqualTo(IDLE);
    }

    @Test
    void isIdleWhileItIsEnabledAndHasNoWork() {
      assertThat(hbm.read4(CTRL)).isEqualTo(ENABLE);
      assertThat(hbm.state()).isEqualTo(IDLE);
      assertThat(hbm.status()).isEqualTo(1);

      hbm.run(nop(), nop());

      assertThat(hbm.read4(CTRL)).isEqualTo(ENABLE);
      assertThat(hbm.state()).isEqualTo(IDLE);
      assertThat(hbm.status()).isEqualTo(1);
    }

    @Test
    void showsWhileItRuns() {
      hbm.put(nop()).ring();
      assertThat(hbm.state()).isEqualTo(RUNNING);
      assertThat(hbm.status()).isEqualTo(3);

      hbm.host.settle();
      assertThat(hbm.state()).isEqualTo(IDLE);
      assertThat(hbm.status()).isEqualTo(1);
    }

    @Test
    void showsWhatIsCompleteWithoutAnUpdate() {
      hbm.put(nop()).put(nop()).ring();
      hbm.host.runJob();

      assertThat(hbm.head()).isEqualTo(2);
      assertThat(hbm.completed()).isEqualTo(2);
      assertThat(hbm.state()).isEqualTo(IDLE);
      assertThat(hbm.status()).isEqualTo(1);
    }

    @Test
    void showsAFaultWithoutAnUpdate() {
      hbm.put(nop()).put(Descriptor.of(9)).ring();
      hbm.host.runJob();

      assertThat(hbm.status()).isEqualTo(5);
      assertThat(hbm.fault()).isEqualTo(1L << 16 | 1);
      assertThat(hbm.head()).isEqualTo(1);
      hbm.host.runUpdates();
      assertThat(hbm.host.raised()).as("once each").containsExactly(1, 0);
    }

    @Test
    void showsHowFarItIsWhileItRuns() {
      hbm.host.mustWait(true);
      hbm.put(nop()).put(copy(64).from(RAM).toLocal(0)).ring();
      List<Long> seen = new ArrayList<>();
      int[] transfers = {0};
      hbm.host.beforeTransfer(() -> {
        if (++transfers[0] == 2) {
          seen.addAll(List.of(hbm.head(), hbm.completed(), hbm.state()));
        }
      });
      hbm.host.runJob();

      assertThat(seen).containsExactly(1L, 1L, (long) RUNNING);
    }

    @Test
    void raisesWhatTheEngineCannotSignal() {
      hbm.host.mustWait(true);
      hbm.host.holdInterrupts(true);
      hbm.put(nop().interrupt()).ring();
      hbm.host.runJob();
      assertThat(hbm.host.raised()).isEmpty();

      hbm.host.runUpdates();
      assertThat(hbm.host.raised()).containsExactly(1);
    }

    @Test
    void asksOnceForManyInterruptsThatAreHeld() {
      hbm.host.mustWait(true);
      hbm.host.holdInterrupts(true);
      hbm.put(nop().interrupt()).put(nop().interrupt()).put(nop().interrupt()).ring();
      hbm.host.runJob();
      assertThat(hbm.host.updatesWaiting()).isEqualTo(1);

      hbm.host.runUpdates();
      assertThat(hbm.host.raised()).containsExactly(1);
      assertThat(hbm.completed()).isEqualTo(3);
    }

    @Test
    void signalsTheVectorOfTheMoment() {
      hbm.put(nop().interrupt()).ring();
      hbm.write4(0x101c, 2);
      hbm.host.runJob();

      assertThat(hbm.host.raised()).containsExactly(2);
    }

    @Test
    void showsCompletionAtTheInterrupt() {
      List<Long> seen = new ArrayList<>();
      hbm.host.atRaise(() -> seen.addAll(List.of(hbm.head(), hbm.completed(), hbm.state())));
      hbm.run(nop(), nop().interrupt());

      assertThat(seen).containsExactly(2L, 2L, (long) IDLE);
    }

    @Test
    void showsErrorAtTheInterrupt() {
      List<Long> seen = new ArrayList<>();
      hbm.host.atRaise(() -> seen.addAll(List.of(hbm.state(), hbm.error(), hbm.fault())));
      hbm.run(Descriptor.of(9));

      assertThat(seen).hasSize(6).startsWith((long) HALTED, 1L, 1L << 16 | 1);
    }

    @Test
    void wrapsAroundTheRing() {
      for (int i = 1; i <= 20; i++) {
        hbm.run(immediate(i, 8).toLocal(i * 8L), nop(), nop());
        assertThat(hbm.head()).isEqualTo(3 * i % HbmFixture.ENTRIES);
        assertThat(hbm.memory(i * 8L, 1)).containsExactly(i);
      }
      assertThat(hbm.completed()).isEqualTo(60);
      assertThat(hbm.state()).isEqualTo(IDLE);
    }

    @Test
    void runsAllButOneEntryAtOnce() {
      hbm.run(nop(), nop(), nop());
      hbm.run(nop(), nop(), nop(), nop(), nop(), nop(), fill(0, 64).toLocal(0));

      assertThat(hbm.completed()).isEqualTo(10);
      assertThat(hbm.memory(0, 64)).containsOnly(0);
    }

    @Test
    void runsRingLongerThanAFetch() {
      hbm.write4(CTRL, 0);
      hbm.host.map(RING, 64 * 64);
      hbm.write4(0x1010, 64);
      hbm.write4(CTRL, ENABLE);
      hbm.ringDoorbell(63);
      hbm.host.settle();
      hbm.ringDoorbell(40);
      hbm.host.settle();

      assertThat(hbm.completed()).isEqualTo(63 + 41);
      assertThat(hbm.head()).isEqualTo(40);
    }

    @Test
    void goesOnForDoorbellWhileItRuns() {
      hbm.host.mustWait(true);
      hbm.put(copy(64).from(RAM).toLocal(64)).ring();
      int[] transfers = {0};
      hbm.host.beforeTransfer(() -> {
        if (++transfers[0] == 2) {
          hbm.put(fill(0, 64).toLocal(0).interrupt()).ring();
          assertThat(hbm.host.jobsWaiting()).as("a channel has one run at a time").isZero();
        }
      });

      hbm.host.settle();
      assertThat(hbm.completed()).isEqualTo(2);
      assertThat(hbm.memory(0, 64)).containsOnly(0);
      assertThat(hbm.state()).isEqualTo(IDLE);
    }

    @Test
    void goesOnForDoorbellAfterTheLastEntry() {
      hbm.put(nop()).ring();
      hbm.host.runJob();
      hbm.put(fill(0, 64).toLocal(0)).ring();
      hbm.isGiven();

      hbm.host.settle();
      assertThat(hbm.completed()).isEqualTo(2);
      assertThat(hbm.memory(0, 64)).containsOnly(0);
    }

    @Test
    void isStillRunningWhenMoreIsToDoAtTheInterrupt() {
      hbm.host.mustWait(true);
      hbm.put(nop()).ring();
      hbm.put(nop()).ring();
      hbm.host.runJob();
      hbm.host.runUpdates();

      assertThat(hbm.completed()).isEqualTo(1);
      assertThat(hbm.state()).isEqualTo(RUNNING);
    }

    @Test
    void channelsAreIndependent() {
      hbm.host.map(0x20_0000, 8 * 64);
      hbm.write8(0x1108, 0x20_0000);
      hbm.write4(0x1110, 8);
      hbm.write4(0x1100, ENABLE);
      hbm.put(Descriptor.of(9)).ring();
      hbm.write4(0x8100, 5);
      hbm.host.settle();

      assertThat(hbm.state()).isEqualTo(HALTED);
      assertThat(hbm.read4(0x1104)).isEqualTo(IDLE);
      assertThat(hbm.read8(0x1120)).isEqualTo(5);
    }
  }

  @Nested
  final class Doorbells {

    @Test
    void ofDisabledChannelIsIgnored() {
      HbmFixture disabled = new HbmFixture(hbm.polling);
      disabled.ringDoorbell(1);

      assertThat(disabled.host.jobsWaiting()).isZero();
      disabled.enable();
      assertThat(disabled.host.jobsWaiting()).isZero();
    }

    @Test
    void ofHaltedChannelIsIgnored() {
      hbm.run(Descriptor.of(9));
      hbm.ringDoorbell(3);

      assertThat(hbm.host.jobsWaiting()).isZero();
      assertThat(hbm.state()).isEqualTo(HALTED);
    }

    @ParameterizedTest
    @ValueSource(ints = {8, 0xffff_ffff})
    void beyondTheRingHalts(int tail) {
      hbm.ringDoorbell(tail);

      assertThat(hbm.state()).isEqualTo(HALTED);
      assertThat(hbm.error()).isEqualTo(1);
      assertThat(hbm.fault()).isEqualTo(1 << 16 | 1);
      assertThat(hbm.host.raised()).containsExactly(1, 0);
    }

    @Test
    void beyondTheRingStopsTheRun() {
      hbm.put(fill(0, 64).to(RAM)).ring();
      hbm.ringDoorbell(8);
      hbm.host.settle();

      assertThat(hbm.state()).isEqualTo(HALTED);
      assertThat(hbm.host.journal()).doesNotContain("write 0x%x+64".formatted(RAM));
    }

    @Test
    void ofMappedPageAreClearedByEnabling() {
      HbmFixture mapped =
          new HbmFixture(hbm.polling, new HbmConfig(1 << 20, 2, DoorbellMode.MAP, false));
      mapped.enable();
      mapped.write4(0x1110, 8);
      mapped.write4(0x1100, ENABLE);

      assertThat(mapped.host.journal())
          .containsExactly("clear doorbell 0 0x8000", "clear doorbell 0 0x8100");

      mapped.run(nop());
      assertThat(mapped.completed()).isEqualTo(1);
    }

    @Test
    void areNotClearedByWritingEnableAgain() {
      hbm.host.journal().clear();
      hbm.write4(CTRL, ENABLE);

      assertThat(hbm.host.journal()).isEmpty();
    }
  }

  @Nested
  final class Enabling {

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 3, 65536, 0x8000_0000L})
    void withBadRingSizeHalts(long size) {
      hbm.write4(CTRL, 0);
      hbm.write4(0x1010, size);
      hbm.write4(CTRL, ENABLE);

      assertThat(hbm.state()).isEqualTo(HALTED);
      assertThat(hbm.error()).isEqualTo(1);
      assertThat(hbm.read4(CTRL)).isZero();
      assertThat(hbm.fault()).isEqualTo(1 << 16 | 1);
    }

    @ParameterizedTest
    @ValueSource(longs = {2, 32768})
    void takesSmallestAndLargestRing(long size) {
      hbm.write4(CTRL, 0);
      hbm.write4(0x1010, size);
      hbm.write4(CTRL, ENABLE);

      assertThat(hbm.read4(CTRL)).isEqualTo(ENABLE);
      assertThat(hbm.state()).isEqualTo(IDLE);
    }

    @Test
    void withRingThatWrapsHalts() {
      hbm.write4(CTRL, 0);
      hbm.write8(0x1008, -7 * 64);
      hbm.write4(CTRL, ENABLE);
      assertThat(hbm.error()).isEqualTo(1);

      hbm.write8(0x1008, -8 * 64);
      hbm.write4(CTRL, ENABLE);
      assertThat(hbm.error()).isZero();
      assertThat(hbm.state()).isEqualTo(IDLE);
    }

    @Test
    void locksTheRing() {
      hbm.write8(0x1008, 0x4000);
      hbm.write4(0x1010, 4);

      assertThat(hbm.read8(0x1008)).isEqualTo(RING);
      assertThat(hbm.read4(0x1010)).isEqualTo(HbmFixture.ENTRIES);
    }

    @Test
    void afterErrorStartsAfresh() {
      hbm.run(nop(), copy(64).from(UNMAPPED).toLocal(0));
      hbm.enable();

      assertThat(hbm.state()).isEqualTo(IDLE);
      assertThat(hbm.error()).isZero();
      assertThat(hbm.head()).isZero();
      assertThat(hbm.completed()).isZero();
      assertThat(hbm.fault()).as("the latch is the driver's to clear").isNotZero();

      hbm.run(fill(0, 64).toLocal(0));
      assertThat(hbm.completed()).isEqualTo(1);
      assertThat(hbm.memory(0, 64)).containsOnly(0);
    }

    @Test
    void disablingAfterErrorLeavesItToBeRead() {
      hbm.run(Descriptor.of(9));
      hbm.write4(CTRL, 0);

      assertThat(hbm.state()).isEqualTo(HALTED);
      assertThat(hbm.error()).isEqualTo(1);
    }
  }

  @Nested
  final class Stopping {

    /** Stops the channel in the middle of the second transfer after the fetch. */
    private void whileCopying(Runnable stop) {
      hbm.host.mustWait(true);
      hbm.put(copy(64).from(RAM).toLocal(0));
      hbm.put(crc32c(512 << 10).from(RAM).interrupt());
      hbm.put(fill(0, 64).to(RAM).interrupt());
      hbm.ring();
      int[] transfers = {0};
      hbm.host.beforeTransfer(() -> {
        if (++transfers[0] == 4) {
          stop.run();
        }
      });
      hbm.host.runJob();
      assertThat(transfers[0]).as("nothing is issued after the stop").isEqualTo(4);
      hbm.host.settle();
      assertThat(hbm.host.raised()).isEmpty();
      assertThat(hbm.host.journal()).last().isEqualTo("ended");
    }

    @Test
    void abortEndsTheRun() {
      whileCopying(() -> hbm.write4(CTRL, ENABLE | ABORT));

      assertThat(hbm.state()).isEqualTo(ABORTED);
      assertThat(hbm.error()).isEqualTo(5);
      assertThat(hbm.read4(CTRL)).as("both bits").isZero();
      assertThat(hbm.fault()).isZero();
      assertThat(hbm.status()).isEqualTo(1);
    }

    @Test
    void disablingEndsTheRun() {
      whileCopying(() -> hbm.write4(CTRL, 0));

      assertThat(hbm.state()).isEqualTo(IDLE);
      assertThat(hbm.error()).isZero();
      assertThat(hbm.read4(CTRL)).isZero();
    }

    @ParameterizedTest
    @EnumSource(ResetKind.class)
    void resetEndsTheRun(ResetKind kind) {
      whileCopying(() -> hbm.host.reset(kind));

      assertThat(hbm.state()).isEqualTo(IDLE);
      assertThat(hbm.head()).isZero();
      assertThat(hbm.completed()).isZero();
      assertThat(hbm.read4(0x1010)).isZero();
    }

    @Test
    void abortCountsWhatIsComplete() {
      hbm.host.mustWait(true);
      hbm.host.holdInterrupts(true);
      hbm.put(nop().interrupt()).ring();
      hbm.host.runJob();
      hbm.write4(CTRL, ABORT);
      hbm.host.settle();

      assertThat(hbm.state()).isEqualTo(ABORTED);
      assertThat(hbm.completed()).isEqualTo(1);
      assertThat(hbm.host.raised()).as("not again by the update").containsExactly(1);
    }

    @Test
    void resetDropsAnInterruptThatIsHeld() {
      hbm.host.mustWait(true);
      hbm.host.holdInterrupts(true);
      hbm.put(nop().interrupt()).ring();
      hbm.host.runJob();
      hbm.host.reset(ResetKind.FUNCTION_LEVEL);
      hbm.host.settle();
      hbm.enable().run(nop());

      assertThat(hbm.completed()).isEqualTo(1);
      assertThat(hbm.host.raised()).isEmpty();
    }

    @Test
    void resetDropsUpdatesOfAFault() {
      hbm.host.mustWait(true);
      hbm.put(copy(64).from(UNMAPPED).toLocal(0)).ring();
      hbm.host.runJob();
      hbm.host.reset(ResetKind.FUNCTION_LEVEL);
      hbm.host.settle();

      assertThat(hbm.fault()).isZero();
      assertThat(hbm.state()).isEqualTo(IDLE);
      assertThat(hbm.host.raised()).isEmpty();
    }

    @Test
    void abortOfIdleChannelAborts() {
      hbm.write4(CTRL, ABORT);

      assertThat(hbm.state()).isEqualTo(ABORTED);
      assertThat(hbm.error()).isEqualTo(5);
    }

    @Test
    void abortOfDisabledChannelIsIgnored() {
      HbmFixture disabled = new HbmFixture(hbm.polling);
      disabled.write4(CTRL, ABORT | ENABLE);

      assertThat(disabled.state()).isEqualTo(IDLE);
      assertThat(disabled.read4(CTRL)).isZero();
    }

    @Test
    void worksAfresh() {
      whileCopying(() -> hbm.write4(CTRL, ABORT));
      hbm.host.beforeTransfer(() -> {});
      hbm.enable().run(fill(0, 64).toLocal(0).interrupt());

      assertThat(hbm.completed()).isEqualTo(1);
      assertThat(hbm.error()).isZero();
      assertThat(hbm.host.raised()).containsExactly(1);
    }
  }
}
