package dev.peerbar.pci;

/**
 * A kind of error that a function can detect (PCIe 6.0 6.2.2), with the bit that stands for it here
 * in Device Status (7.5.3.5) and the one in Advanced Error Reporting (7.8.4).
 */
public enum PcieError {
  /** Receiver Error: hardware has made good for it. */
  CORRECTABLE(1, 1),
  /** Completion Timeout: a request has failed, and the link is sound. */
  NON_FATAL(1 << 1, 1 << 14),
  /** Malformed TLP: the link is not to be relied on. */
  FATAL(1 << 2, 1 << 18);

  private final int deviceStatus;
  private final int aerStatus;

  PcieError(int deviceStatus, int aerStatus) {
    this.deviceStatus = deviceStatus;
    this.aerStatus = aerStatus;
  }

  /** The bit of Device Status. */
  public int deviceStatus() {
    return deviceStatus;
  }

  /** The bit of the Correctable or the Uncorrectable Error Status of AER. */
  public int aerStatus() {
    return aerStatus;
  }

  /** Whether it is one that hardware could not make good for. */
  public boolean uncorrectable() {
    return this != CORRECTABLE;
  }
}
