package dev.peerbar.pci;

/**
 * PCI Power Management, version 3 (PCIe 6.0 7.5.2): D0 and D3hot, no D1, no D2, no PME.
 *
 * <p>A write of an unsupported state is discarded, as the specification says.
 */
final class PowerManagementCapability {
  static final int ID = 0x01;
  static final int LENGTH = 8;

  private static final int CAPABILITIES = 2;
  private static final int CONTROL_STATUS = 4;

  private static final int VERSION_3 = 3;
  private static final int POWER_STATE = 0x3;
  private static final int NO_SOFT_RESET = 1 << 3;

  private static final int D0 = 0;
  private static final int D3HOT = 3;

  private final ConfigSpace space;
  private final int controlStatus;
  private final boolean noSoftReset;

  PowerManagementCapability(ConfigSpace space, CapabilityChains chains, boolean noSoftReset) {
    this.space = space;
    this.noSoftReset = noSoftReset;
    int at = chains.addStandard(ID, LENGTH);
    controlStatus = at + CONTROL_STATUS;
    space.declare(at + CAPABILITIES, 2, VERSION_3);
    space.declare(controlStatus, 2, noSoftReset ? NO_SOFT_RESET : 0).writable(POWER_STATE);
  }

  boolean noSoftReset() {
    return noSoftReset;
  }

  boolean inD3hot() {
    return state() == D3HOT;
  }

  int state() {
    return space.word(controlStatus) & POWER_STATE;
  }

  /** Takes back a state just written that this function does not have. */
  void discardUnsupported(int stateBefore) {
    if (!inSupportedState()) {
      space.setWord(controlStatus, space.word(controlStatus) & ~POWER_STATE | stateBefore);
    }
  }

  /** Whether it is in a state that this function has. */
  boolean inSupportedState() {
    return state() == D0 || state() == D3HOT;
  }
}
