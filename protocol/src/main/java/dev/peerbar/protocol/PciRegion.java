package dev.peerbar.protocol;

/** Region indexes of a PCI device (linux/vfio.h, VFIO_PCI_*_REGION_INDEX). */
public final class PciRegion {
  public static final int BAR0 = 0;
  public static final int BAR5 = 5;
  public static final int ROM = 6;
  public static final int CONFIG = 7;
  public static final int VGA = 8;

  /** How many there are. */
  public static final int COUNT = 9;

  private PciRegion() {}
}
