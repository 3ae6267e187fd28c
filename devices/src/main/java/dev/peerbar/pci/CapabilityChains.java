package dev.peerbar.pci;

/**
 * Hands out the places of capabilities and links them: the standard list from the Capabilities
 * Pointer (PCIe 6.0 7.5.1.1.11), the extended list from 0x100 (PCIe 6.0 7.6.1).
 */
final class CapabilityChains {
  private static final int STANDARD_START = 0x40;
  private static final int STANDARD_ALIGNMENT = 0x10;
  private static final int STANDARD_NEXT = 1;
  private static final int EXTENDED_START = 0x100;
  private static final int EXTENDED_ALIGNMENT = 4;
  private static final int EXTENDED_VERSION_SHIFT = 16;
  private static final int EXTENDED_NEXT_SHIFT = 20;

  private final ConfigSpace space;
  private int standardPointer = Type0Header.CAPABILITIES_POINTER;
  private int standardFree = STANDARD_START;
  private int extendedLast = -1;
  private int extendedLastHeader;
  private int extendedFree = EXTENDED_START;

  CapabilityChains(ConfigSpace space) {
    this.space = space;
  }

  /** Links a capability at the end of the standard list; returns its offset. */
  int addStandard(int id, int length) {
    int at = standardFree;
    if (at + length > EXTENDED_START) {
      throw new IllegalArgumentException("The standard capabilities do not fit below 0x100.");
    }
    space.declare(standardPointer, 1, at);
    space.declare(at, 1, id);
    standardPointer = at + STANDARD_NEXT;
    standardFree = alignUp(at + length, STANDARD_ALIGNMENT);
    return at;
  }

  /** Links a capability at the end of the extended list; returns its offset. */
  int addExtended(int id, int version, int length) {
    int at = extendedFree;
    if (at + length > PciFunction.CONFIG_SPACE_SIZE) {
      throw new IllegalArgumentException("The extended capabilities do not fit below 0x1000.");
    }
    if (extendedLast >= 0) {
      space.declare(extendedLast, 4, extendedLastHeader | at << EXTENDED_NEXT_SHIFT);
    }
    extendedLast = at;
    extendedLastHeader = id | version << EXTENDED_VERSION_SHIFT;
    space.declare(at, 4, extendedLastHeader);
    extendedFree = alignUp(at + length, EXTENDED_ALIGNMENT);
    return at;
  }

  private static int alignUp(int value, int alignment) {
    return (value + alignment - 1) & -alignment;
  }
}
