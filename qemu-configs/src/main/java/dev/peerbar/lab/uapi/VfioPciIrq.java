package dev.peerbar.lab.uapi;

/** Interrupt indexes of a vfio-pci device ({@code VFIO_PCI_*_IRQ_INDEX}). */
public enum VfioPciIrq {
  INTX,
  MSI,
  MSIX,
  ERR,
  REQ;

  public int index() {
    return ordinal();
  }
}
