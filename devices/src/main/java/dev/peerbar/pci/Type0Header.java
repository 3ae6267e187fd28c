package dev.peerbar.pci;

import dev.peerbar.pci.ConfigLayout.Header;

/** The first 64 bytes of config space of an endpoint (PCIe 6.0 7.5.1.1 and 7.5.1.2). */
final class Type0Header {
  private final ConfigSpace space;

  Type0Header(ConfigSpace space, Identity identity, int interruptPin) {
    this.space = space;
    space.declare(Header.VENDOR_ID, 2, identity.vendor());
    space.declare(Header.DEVICE_ID, 2, identity.device());
    space
        .declare(Header.COMMAND, 2, 0)
        .writable(
            Header.COMMAND_MEMORY_SPACE
                | Header.COMMAND_BUS_MASTER
                | Header.COMMAND_PARITY_ERROR_RESPONSE
                | Header.COMMAND_SERR_ENABLE
                | Header.COMMAND_INTERRUPT_DISABLE);
    space
        .declare(Header.STATUS, 2, Header.STATUS_CAPABILITIES_LIST)
        .clearedByOnes(Header.STATUS_ERRORS);
    space.declare(Header.REVISION_ID, 1, identity.revision());
    space.declare(Header.CLASS_CODE, 3, identity.classCode());
    // Without effect on a PCIe function, but writable for software of the PCI era.
    space.declare(Header.CACHE_LINE_SIZE, 1, 0).writable(0xff);
    space.declare(Header.SUBSYSTEM_VENDOR_ID, 2, identity.subsystemVendor());
    space.declare(Header.SUBSYSTEM_ID, 2, identity.subsystem());
    space.declare(Header.INTERRUPT_LINE, 1, 0).writable(0xff);
    space.declare(Header.INTERRUPT_PIN, 1, interruptPin);
  }

  /** Declares the address register; all bits below the size and the type bits are read-only. */
  void declare(Bar bar) {
    int offset = Header.BAR0 + bar.index() * Header.BAR_BYTES;
    long addressBits = -bar.size() & ~Header.BAR_TYPE;
    switch (bar.type()) {
      case MEMORY_32 -> space.declare(offset, 4, 0).writable(addressBits);
      case MEMORY_64 -> space.declare(offset, 8, Header.BAR_64_BIT).writable(addressBits);
      case MEMORY_64_PREFETCHABLE ->
          space
              .declare(offset, 8, Header.BAR_64_BIT | Header.BAR_PREFETCHABLE)
              .writable(addressBits);
    }
  }

  boolean memorySpace() {
    return (space.word(Header.COMMAND) & Header.COMMAND_MEMORY_SPACE) != 0;
  }

  boolean busMaster() {
    return (space.word(Header.COMMAND) & Header.COMMAND_BUS_MASTER) != 0;
  }

  boolean interruptDisabled() {
    return (space.word(Header.COMMAND) & Header.COMMAND_INTERRUPT_DISABLE) != 0;
  }

  /** Read-only to software. */
  void interruptStatus(boolean pending) {
    int status = space.word(Header.STATUS);
    space.setWord(
        Header.STATUS,
        pending ? status | Header.STATUS_INTERRUPT : status & ~Header.STATUS_INTERRUPT);
  }

  /** What tells drivers which function this is. */
  record Identity(
      int vendor, int device, int subsystemVendor, int subsystem, int classCode, int revision) {}
}
