package dev.peerbar.devices.hbm;

import static dev.peerbar.devices.hbm.Descriptor.copy;
import static dev.peerbar.devices.hbm.Descriptor.nop;
import static dev.peerbar.devices.hbm.HbmFixture.RAM;
import static dev.peerbar.devices.hbm.HbmFixture.RECORD;
import static dev.peerbar.devices.hbm.HbmFixture.RING;
import static dev.peerbar.devices.hbm.HbmFixture.UNMAPPED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.StateReader;
import dev.peerbar.endpoint.StateWriter;
import dev.peerbar.pci.InvalidStateException;
import dev.peerbar.pci.ResetKind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Pausing in the middle of work, and registers that are saved and taken on. */
@InEveryMode
final class HbmStateTest {
  private static final int IDLE = 0;
  private static final int RUNNING = 1;
  private static final int HALTED = 2;
  private static final int ABORTED = 3;
  private static final long CTRL = 0x1000;

  private final HbmFixture hbm;

  HbmStateTest(Engine.Polling polling) {
    hbm = new HbmFixture(polling).enable();
  }

  private static byte[] save(HbmFixture from) {
    StateWriter state = new StateWriter();
    from.endpoint.save(state);
    return state.toBytes();
  }

  private HbmFixture restored(byte[] state) throws InvalidStateException {
    HbmFixture other = new HbmFixture(hbm.polling);
    other.host.pause();
    other.endpoint.restore(new StateReader(state));
    return other;
  }

  private static List<Long> registers(HbmFixture of) {
    List<Long> all = new ArrayList<>();
    for (long at = 0; at < 0x1200; at += Integer.BYTES) {
      all.add(of.read4(at));
    }
    return all;
  }

  @Nested
  final class Pausing {

    @Test
    void countsWhatIsCompleteAndWasNotTold() {
      hbm.put(nop().interrupt()).put(nop()).put(nop().interrupt()).ring();
      hbm.host.runJob();

      hbm.host.pause();

      assertThat(hbm.head()).isEqualTo(3);
      assertThat(hbm.completed()).isEqualTo(3);
      assertThat(hbm.host.raised()).containsExactly(1, 1);
      assertThat(hbm.state()).isEqualTo(IDLE);
      hbm.host.settle();
      assertThat(hbm.completed()).as("counted once").isEqualTo(3);
    }

    @Test
    void stopsAtTheEntryThatWasBegun() {
      hbm.host.mustWait(true);
      hbm.put(nop().recordAt(RECORD))
          .put(copy(64).from(RAM).toLocal(0).interrupt())
          .put(nop())
          .ring();
      int[] transfers = {0};
      hbm.host.beforeTransfer(() -> {
        // The ring, the record of the first entry in two writes, and the copy.
        if (++transfers[0] == 4) {
          hbm.host.endJobs();
        }
      });
      hbm.host.runJob();

      hbm.host.pause();

      assertThat(hbm.head()).isEqualTo(1);
      assertThat(hbm.completed()).isEqualTo(1);
      assertThat(hbm.state()).isEqualTo(RUNNING);
      assertThat(hbm.host.raised()).isEmpty();

      hbm.host.beforeTransfer(() -> {});
      hbm.endpoint.resume();
      hbm.host.settle();
      assertThat(hbm.head()).isEqualTo(3);
      assertThat(hbm.completed()).isEqualTo(3);
      assertThat(hbm.memory(0, 64)).isEqualTo(hbm.ram(RAM, 64));
      assertThat(hbm.host.raised()).containsExactly(1);
      assertThat(hbm.state()).isEqualTo(IDLE);
    }

    @Test
    void tellsOfAFailureThatWasNotTold() {
      hbm.put(nop()).put(copy(64).from(UNMAPPED).toLocal(0)).ring();
      hbm.host.runJob();

      hbm.host.pause();

      assertThat(hbm.state()).isEqualTo(HALTED);
      assertThat(hbm.head()).isEqualTo(1);
      assertThat(hbm.faultAddress()).isEqualTo(UNMAPPED);
      hbm.endpoint.resume();
      assertThat(hbm.host.jobsWaiting()).isZero();
    }

    @Test
    void raisesAnInterruptThatTheEndOfTheJobKept() {
      hbm.host.mustWait(true);
      hbm.put(nop().interrupt()).put(nop()).ring();
      hbm.host.beforeSignal(hbm.host::endJobs);
      hbm.host.runJob();
      assertThat(hbm.host.raised()).isEmpty();

      hbm.host.pause();

      assertThat(hbm.head()).isEqualTo(1);
      assertThat(hbm.host.raised()).containsExactly(1);
    }

    @Test
    void raisesAnInterruptThatIsHeld() {
      hbm.host.holdInterrupts(true);
      hbm.put(nop().interrupt()).ring();
      hbm.host.runJob();
      hbm.host.pause();
      hbm.host.settle();

      assertThat(hbm.host.raised()).containsExactly(1);
    }

    @Test
    void remembersDoorbells() {
      hbm.host.pause();
      hbm.put(nop()).ring();
      hbm.put(nop()).ring();
      assertThat(hbm.host.jobsWaiting()).isZero();
      assertThat(hbm.state()).isEqualTo(RUNNING);

      hbm.endpoint.resume();
      hbm.isGiven();
      hbm.host.settle();
      assertThat(hbm.head()).isEqualTo(2);
    }

    @Test
    void givesTheEngineNothing() {
      hbm.host.mustWait(true);
      hbm.put(nop()).ring();
      hbm.host.beforeTransfer(() -> {
        hbm.host.beforeTransfer(() -> {});
        hbm.put(nop()).ring();
      });
      hbm.host.runJob();
      hbm.host.pause();

      assertThat(hbm.head()).isEqualTo(1);
      assertThat(hbm.state()).isEqualTo(RUNNING);
      assertThat(hbm.host.jobsWaiting()).isZero();
      hbm.endpoint.resume();
      hbm.host.settle();
      assertThat(hbm.head()).isEqualTo(2);
    }

    @Test
    void letsAChannelBeStopped() {
      hbm.put(nop()).ring();
      hbm.host.pause();
      hbm.write4(CTRL, 2);
      assertThat(hbm.state()).isEqualTo(ABORTED);
      hbm.endpoint.resume();
      hbm.isGiven();
      hbm.host.settle();
      assertThat(hbm.completed()).isZero();
    }

    @Test
    void endsWithAReset() {
      hbm.put(nop()).ring();
      hbm.host.pause();
      hbm.host.reset(ResetKind.FUNCTION_LEVEL);
      hbm.enable().run(nop());
      assertThat(hbm.head()).isEqualTo(1);
    }
  }

  @Nested
  final class Moving {

    @Test
    void keepsEveryRegister() throws Exception {
      hbm.host.reset(ResetKind.FUNCTION_LEVEL);
      hbm.enable();
      hbm.write4(0x1c, 0xffff_0001L);
      hbm.write4(0x101c, 0xffff_ffffL);
      hbm.write8(0x1108, 0xffff_ffff_ffff_ffc0L);
      hbm.write4(0x1110, 0xffff_ffffL);
      hbm.run(nop(), nop(), copy(64).from(UNMAPPED).toLocal(0));
      hbm.host.pause();

      HbmFixture other = restored(save(hbm));

      assertThat(registers(other)).isEqualTo(registers(hbm));
      assertThat(save(other)).isEqualTo(save(hbm));
      assertThat(other.read4(0x18)).as("RESET_COUNT").isEqualTo(1);
      assertThat(other.fault()).isNotZero();
    }

    /** Entries that the engine was given run all the same, unless it stops before. */
    @Test
    void keepsATailThatWentBack() throws Exception {
      hbm.put(nop()).put(nop()).ring();
      hbm.ringDoorbell(0);
      assertThat(hbm.state()).isEqualTo(RUNNING);
      hbm.host.pause();
      assertThat(hbm.state()).isEqualTo(IDLE);

      HbmFixture other = restored(save(hbm));

      assertThat(registers(other)).isEqualTo(registers(hbm));
      other.endpoint.resume();
      assertThat(other.host.jobsWaiting()).isZero();
    }

    /** Error 5 with STATE 2: no driver's abort. */
    @Test
    void keepsAHaltAtTheEndpointsOwnFailure() throws Exception {
      hbm.host.beforeTransfer(() -> {
        throw new OutOfMemoryError();
      });
      hbm.run(nop());
      hbm.host.pause();
      assertThat(hbm.state()).isEqualTo(HALTED);
      assertThat(hbm.error()).isEqualTo(5);

      HbmFixture other = restored(save(hbm));

      assertThat(registers(other)).isEqualTo(registers(hbm));
      assertThat(save(other)).isEqualTo(save(hbm));
    }

    @Test
    void goesOnWithTheRing() throws Exception {
      hbm.run(nop(), nop(), nop(), nop(), nop());
      hbm.put(nop()).put(nop()).put(nop()).put(nop().interrupt()).ring();
      hbm.host.pause();

      HbmFixture other = restored(save(hbm));
      other.ring.copyFrom(hbm.ring);
      assertThat(other.state()).isEqualTo(RUNNING);
      other.host.settle();
      assertThat(other.head()).as("paused").isEqualTo(5);
      other.endpoint.resume();
      other.host.settle();

      assertThat(other.head()).as("around the end").isEqualTo(1);
      assertThat(other.completed()).isEqualTo(9);
      assertThat(other.host.raised()).containsExactly(1);
    }

    @Test
    void refusesFieldsOfOtherLengths() {
      hbm.host.pause();
      byte[] state = save(hbm);
      for (int length = 0; length < state.length; length++) {
        refuses(Arrays.copyOf(state, length));
      }
      refuses(Arrays.copyOf(state, state.length + 1));
    }

    @Test
    void refusesARingThatWraps() {
      hbm.host.pause();
      byte[] state = save(hbm);
      // RING_BASE of channel 0, enabled: behind the globals, the enable bit and the state.
      assertThat(state[32 + 2]).isEqualTo((byte) (RING >> 16));
      Arrays.fill(state, 32, 40, (byte) 0xff);
      state[32] = (byte) 0xc0;
      refuses(state);
    }

    private void refuses(byte[] state) {
      HbmFixture other = new HbmFixture(hbm.polling);
      other.write4(0x1c, 42);
      other.host.pause();
      byte[] before = save(other);
      assertThatThrownBy(() -> other.endpoint.restore(new StateReader(state)))
          .isInstanceOf(InvalidStateException.class);
      assertThat(save(other)).isEqualTo(before);
    }
  }
}
