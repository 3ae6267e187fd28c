package dev.peerbar.pci;

/** What reset a function. */
public enum ResetKind {
  /** Initiate Function Level Reset was written (PCIe 6.0 6.6.2). */
  FUNCTION_LEVEL,
  /** A reset of the device or of the bus above it: the client's DEVICE_RESET. */
  BUS_OR_DEVICE,
  /** The power state went from D3hot to D0 and No_Soft_Reset is 0 (PCIe 6.0 5.3.1.4). */
  D3HOT_TO_D0,
}
