package dev.peerbar.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class PciFunctionStateTest {
  private static final int COMMAND = 0x04;
  private static final int BUS_MASTER = 1 << 2;
  private static final int POWER_MANAGEMENT = 0x01;
  private static final int CONTROL_STATUS = 4;
  private static final int D1 = 1;
  private static final int D3HOT = 3;

  private final PciFunction function = PciFunctionTest.declaration().build();
  private final ConfigAccess config = new ConfigAccess(function);

  private int power() {
    return config.standardCapabilities().get(POWER_MANAGEMENT) + CONTROL_STATUS;
  }

  @Test
  void readOnlyBitsAreNotSaved() {
    assertThat(function.saveState()).isEqualTo(initialState());
  }

  /** The bytes that have bits that are writable and set after a reset; all others are zero. */
  private byte[] initialState() {
    byte[] dump = config.dump();
    byte[] readOnly = function.space().readOnlyMask();
    byte[] expected = new byte[dump.length];
    for (int at = 0; at < dump.length; at++) {
      expected[at] = (byte) (dump[at] & ~readOnly[at]);
    }
    return expected;
  }

  @Test
  void takesAStateOnAndTellsNobody() throws Exception {
    config.write(COMMAND, 2, BUS_MASTER);
    byte[] state = function.saveState();
    function.reset(ResetKind.BUS_OR_DEVICE);
    config.events.clear();

    function.restoreState(state);

    assertThat(function.busMasterEnabled()).isTrue();
    assertThat(config.events).isEmpty();
  }

  @Test
  void takesAPowerStateOn() throws Exception {
    config.write(power(), 2, D3HOT);
    byte[] state = function.saveState();
    function.reset(ResetKind.BUS_OR_DEVICE);
    function.restoreState(state);
    assertThat(function.inD3hot()).isTrue();
  }

  @Test
  void refusesAPowerStateThatIsNotThere() {
    byte[] before = config.dump();
    byte[] state = function.saveState();
    state[power()] = D1;
    state[COMMAND] = BUS_MASTER;
    refuses(state);
    assertThat(config.dump()).isEqualTo(before);
  }

  @Test
  void refusesReadOnlyBits() {
    byte[] before = config.dump();
    for (int at : new int[] {0, 2, 9, 0x10, 0x34, 0x40, 4095}) {
      byte[] state = function.saveState();
      state[COMMAND] = BUS_MASTER;
      state[at] |= 1;
      refuses(state);
    }
    assertThat(config.dump()).isEqualTo(before);
  }

  @Test
  void refusesAnotherLength() {
    refuses(new byte[4095]);
    refuses(new byte[4097]);
    refuses(new byte[0]);
  }

  private void refuses(byte[] state) {
    assertThatThrownBy(() -> function.restoreState(state))
        .isInstanceOf(InvalidStateException.class);
  }
}
