package dev.peerbar.pci;

import dev.peerbar.pci.ConfigLayout.SerialNumber;

/** The Device Serial Number capability (PCIe 6.0 7.9.3). */
final class SerialNumberCapability {
  private SerialNumberCapability() {}

  static void declare(ConfigSpace space, CapabilityChains chains, long serialNumber) {
    int at = chains.addExtended(SerialNumber.ID, SerialNumber.VERSION, SerialNumber.LENGTH);
    space.declare(at + SerialNumber.SERIAL_NUMBER, 8, serialNumber);
  }
}
