package dev.peerbar.pci;

/** The first 64 bytes of config space of an endpoint (PCIe 6.0 7.5.1.1 and 7.5.1.2). */
final class Type0Header {
  static final int VENDOR_ID = 0x00;
  static final int DEVICE_ID = 0x02;
  static final int COMMAND = 0x04;
  static final int STATUS = 0x06;
  static final int REVISION_ID = 0x08;
  static final int CLASS_CODE = 0x09;
  static final int CACHE_LINE_SIZE = 0x0c;
  static final int BAR0 = 0x10;
  static final int SUBSYSTEM_VENDOR_ID = 0x2c;
  static final int SUBSYSTEM_ID = 0x2e;
  static final int CAPABILITIES_POINTER = 0x34;
  static final int INTERRUPT_LINE = 0x3c;
  static final int INTERRUPT_PIN = 0x3d;

  static final int COMMAND_MEMORY_SPACE = 1 << 1;
  static final int COMMAND_BUS_MASTER = 1 << 2;
  static final int COMMAND_PARITY_ERROR_RESPONSE = 1 << 6;
  static final int COMMAND_SERR_ENABLE = 1 << 8;
  static final int COMMAND_INTERRUPT_DISABLE = 1 << 10;

  static final int STATUS_INTERRUPT = 1 << 3;
  static final int STATUS_CAPABILITIES_LIST = 1 << 4;

  /**
   * Master data parity error; signaled and received target abort; received master abort; signaled
   * system error; detected parity error.
   */
  static final int STATUS_ERRORS = 1 << 8 | 0x1f << 11;

  private static final int BAR_BYTES = 4;
  private static final int BAR_TYPE_BITS = 0xf;
  private static final int BAR_64_BIT = 0x4;
  private static final int BAR_PREFETCHABLE = 0x8;

  private final ConfigSpace space;

  Type0Header(ConfigSpace space, Identity identity, int interruptPin) {
    this.space = space;
    space.declare(VENDOR_ID, 2, identity.vendor());
    space.declare(DEVICE_ID, 2, identity.device());
    space
        .declare(COMMAND, 2, 0)
        .writable(
            COMMAND_MEMORY_SPACE
                | COMMAND_BUS_MASTER
                | COMMAND_PARITY_ERROR_RESPONSE
                | COMMAND_SERR_ENABLE
                | COMMAND_INTERRUPT_DISABLE);
    space.declare(STATUS, 2, STATUS_CAPABILITIES_LIST).clearedByOnes(STATUS_ERRORS);
    space.declare(REVISION_ID, 1, identity.revision());
    space.declare(CLASS_CODE, 3, identity.classCode());
    // Without effect on a PCIe function, but writable for software of the PCI era.
    space.declare(CACHE_LINE_SIZE, 1, 0).writable(0xff);
    space.declare(SUBSYSTEM_VENDOR_ID, 2, identity.subsystemVendor());
    space.declare(SUBSYSTEM_ID, 2, identity.subsystem());
    space.declare(INTERRUPT_LINE, 1, 0).writable(0xff);
    space.declare(INTERRUPT_PIN, 1, interruptPin);
  }

  /** Declares the address register; all bits below the size and the type bits are read-only. */
  void declare(Bar bar) {
    int offset = BAR0 + bar.index() * BAR_BYTES;
    long addressBits = -bar.size() & ~BAR_TYPE_BITS;
    switch (bar) {
      case Bar.Registers _, Bar.Msix _ -> space.declare(offset, 4, 0).writable(addressBits);
      case Bar.Memory _ ->
          space.declare(offset, 8, BAR_64_BIT | BAR_PREFETCHABLE).writable(addressBits);
    }
  }

  boolean memorySpace() {
    return (space.word(COMMAND) & COMMAND_MEMORY_SPACE) != 0;
  }

  boolean busMaster() {
    return (space.word(COMMAND) & COMMAND_BUS_MASTER) != 0;
  }

  boolean interruptDisabled() {
    return (space.word(COMMAND) & COMMAND_INTERRUPT_DISABLE) != 0;
  }

  /** Read-only to software. */
  void interruptStatus(boolean pending) {
    int status = space.word(STATUS);
    space.setWord(STATUS, pending ? status | STATUS_INTERRUPT : status & ~STATUS_INTERRUPT);
  }

  /** What tells drivers which function this is. */
  record Identity(
      int vendor, int device, int subsystemVendor, int subsystem, int classCode, int revision) {}
}
