package dev.peerbar.server.function;

/** The interrupt indexes of a vfio-pci function (linux/vfio.h, VFIO_PCI_*_IRQ_INDEX). */
public enum IrqIndex {
  INTX,
  MSI,
  MSIX,
  ERROR,
  REQUEST
}
