package dev.peerbar.pci;

import dev.peerbar.pci.ConfigLayout.Msix;

/** The MSI-X capability (PCIe 6.0 7.7.2). The structures it points to are {@link MsixTable}. */
final class MsixCapability {
  private final ConfigSpace space;
  private final int messageControl;

  MsixCapability(ConfigSpace space, CapabilityChains chains, PciFunction.MsixLayout layout) {
    this.space = space;
    int at = chains.addStandard(Msix.ID, Msix.LENGTH);
    messageControl = at + Msix.MESSAGE_CONTROL;
    // Table Size is one less than the vectors.
    space
        .declare(messageControl, 2, layout.vectors() - 1)
        .writable(Msix.FUNCTION_MASK | Msix.ENABLE);
    // The offsets are 8-byte aligned; their low three bits name the BAR.
    space.declare(at + Msix.TABLE, 4, layout.tableOffset() | layout.bar());
    space.declare(at + Msix.PENDING, 4, layout.pendingOffset() | layout.bar());
  }

  boolean enabled() {
    return (space.word(messageControl) & Msix.ENABLE) != 0;
  }

  boolean masked() {
    return (space.word(messageControl) & Msix.FUNCTION_MASK) != 0;
  }
}
