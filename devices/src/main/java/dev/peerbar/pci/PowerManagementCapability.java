package dev.peerbar.pci;

import dev.peerbar.pci.ConfigLayout.PowerManagement;

/**
 * PCI Power Management, version 3 (PCIe 6.0 7.5.2): D0 and D3hot, no D1, no D2, no PME.
 *
 * <p>A write of an unsupported state is discarded, as the specification says.
 */
final class PowerManagementCapability {
  private static final int VERSION_3 = 3;

  private final ConfigSpace space;
  private final int controlStatus;
  private final boolean noSoftReset;

  PowerManagementCapability(ConfigSpace space, CapabilityChains chains, boolean noSoftReset) {
    this.space = space;
    this.noSoftReset = noSoftReset;
    int at = chains.addStandard(PowerManagement.ID, PowerManagement.LENGTH);
    controlStatus = at + PowerManagement.CONTROL_STATUS;
    space.declare(at + PowerManagement.CAPABILITIES, 2, VERSION_3);
    space
        .declare(controlStatus, 2, noSoftReset ? PowerManagement.NO_SOFT_RESET : 0)
        .writable(PowerManagement.POWER_STATE);
  }

  boolean noSoftReset() {
    return noSoftReset;
  }

  boolean inD3hot() {
    return state() == PowerManagement.D3HOT;
  }

  int state() {
    return space.word(controlStatus) & PowerManagement.POWER_STATE;
  }

  /** Takes back a state just written that this function does not have. */
  void discardUnsupported(int stateBefore) {
    if (!inSupportedState()) {
      space.setWord(
          controlStatus, space.word(controlStatus) & ~PowerManagement.POWER_STATE | stateBefore);
    }
  }

  /** Whether it is in a state that this function has. */
  boolean inSupportedState() {
    return state() == PowerManagement.D0 || state() == PowerManagement.D3HOT;
  }
}
