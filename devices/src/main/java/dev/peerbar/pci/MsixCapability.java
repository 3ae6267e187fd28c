package dev.peerbar.pci;

/** The MSI-X capability (PCIe 6.0 7.7.2). The structures it points to are {@link MsixTable}. */
final class MsixCapability {
  static final int ID = 0x11;
  static final int LENGTH = 12;

  private static final int MESSAGE_CONTROL = 2;
  private static final int TABLE = 4;
  private static final int PENDING = 8;

  private static final int FUNCTION_MASK = 1 << 14;
  private static final int ENABLE = 1 << 15;

  private final ConfigSpace space;
  private final int messageControl;

  MsixCapability(ConfigSpace space, CapabilityChains chains, PciFunction.MsixLayout layout) {
    this.space = space;
    int at = chains.addStandard(ID, LENGTH);
    messageControl = at + MESSAGE_CONTROL;
    // Table Size is one less than the vectors.
    space.declare(messageControl, 2, layout.vectors() - 1).writable(FUNCTION_MASK | ENABLE);
    // The offsets are 8-byte aligned; their low three bits name the BAR.
    space.declare(at + TABLE, 4, layout.tableOffset() | layout.bar());
    space.declare(at + PENDING, 4, layout.pendingOffset() | layout.bar());
  }

  boolean enabled() {
    return (space.word(messageControl) & ENABLE) != 0;
  }

  boolean masked() {
    return (space.word(messageControl) & FUNCTION_MASK) != 0;
  }
}
