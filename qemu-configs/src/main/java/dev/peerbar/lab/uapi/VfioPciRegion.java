package dev.peerbar.lab.uapi;

/** Region indexes of a vfio-pci device ({@code VFIO_PCI_*_REGION_INDEX}). */
public enum VfioPciRegion {
  BAR0,
  BAR1,
  BAR2,
  BAR3,
  BAR4,
  BAR5,
  ROM,
  CONFIG,
  VGA;

  /** The region of BAR {@code number}, 0 to 5. */
  public static VfioPciRegion bar(int number) {
    if (number < 0 || number > 5) {
      throw new IllegalArgumentException("no BAR " + number);
    }
    return values()[number];
  }

  public int index() {
    return ordinal();
  }
}
