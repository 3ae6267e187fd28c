package dev.peerbar.protocol;

/** Interrupt type indexes of a PCI device (linux/vfio.h, VFIO_PCI_*_IRQ_INDEX). */
public final class PciIrq {
  public static final int INTX = 0;
  public static final int MSI = 1;
  public static final int MSIX = 2;
  public static final int ERROR = 3;
  public static final int REQUEST = 4;

  /** How many there are. */
  public static final int COUNT = 5;

  private PciIrq() {}
}
