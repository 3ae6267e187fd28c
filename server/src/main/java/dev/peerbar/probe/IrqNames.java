package dev.peerbar.probe;

import dev.peerbar.protocol.PciIrq;

/** What interrupt types are called. */
final class IrqNames {
  private IrqNames() {}

  static String of(int index) {
    return switch (index) {
      case PciIrq.INTX -> "INTx";
      case PciIrq.MSI -> "MSI";
      case PciIrq.MSIX -> "MSI-X";
      case PciIrq.ERROR -> "ERR";
      case PciIrq.REQUEST -> "REQ";
      default -> "#" + index;
    };
  }
}
