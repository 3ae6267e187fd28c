package dev.peerbar.pci;

/** The Device Serial Number capability (PCIe 6.0 7.9.3). */
final class SerialNumberCapability {
  static final int ID = 0x0003;
  static final int VERSION = 1;
  static final int LENGTH = 12;

  private static final int SERIAL_NUMBER = 4;

  private SerialNumberCapability() {}

  static void declare(ConfigSpace space, CapabilityChains chains, long serialNumber) {
    int at = chains.addExtended(ID, VERSION, LENGTH);
    space.declare(at + SERIAL_NUMBER, 8, serialNumber);
  }
}
