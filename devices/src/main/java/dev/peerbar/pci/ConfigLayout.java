package dev.peerbar.pci;

/**
 * Where the registers of config space are, and what their bits are called: for functions, for
 * drivers and for whoever decodes. Offsets are in bytes; those of a capability are from its start.
 */
public final class ConfigLayout {

  private ConfigLayout() {}

  /** The first 64 bytes of an endpoint (PCIe 6.0 7.5.1.1 and 7.5.1.2). */
  public static final class Header {
    public static final int VENDOR_ID = 0x00;
    public static final int DEVICE_ID = 0x02;
    public static final int COMMAND = 0x04;
    public static final int STATUS = 0x06;
    public static final int REVISION_ID = 0x08;
    public static final int CLASS_CODE = 0x09;

    /** Of the class code: the subclass, with the base class behind it. */
    public static final int SUB_CLASS = 0x0a;

    public static final int CACHE_LINE_SIZE = 0x0c;
    public static final int LATENCY_TIMER = 0x0d;
    public static final int HEADER_TYPE = 0x0e;
    public static final int BIST = 0x0f;
    public static final int BAR0 = 0x10;
    public static final int SUBSYSTEM_VENDOR_ID = 0x2c;
    public static final int SUBSYSTEM_ID = 0x2e;
    public static final int EXPANSION_ROM = 0x30;
    public static final int CAPABILITIES_POINTER = 0x34;
    public static final int INTERRUPT_LINE = 0x3c;
    public static final int INTERRUPT_PIN = 0x3d;
    public static final int MIN_GRANT = 0x3e;
    public static final int MAX_LATENCY = 0x3f;

    public static final int COMMAND_IO_SPACE = 1;
    public static final int COMMAND_MEMORY_SPACE = 1 << 1;
    public static final int COMMAND_BUS_MASTER = 1 << 2;
    public static final int COMMAND_PARITY_ERROR_RESPONSE = 1 << 6;
    public static final int COMMAND_SERR_ENABLE = 1 << 8;
    public static final int COMMAND_INTERRUPT_DISABLE = 1 << 10;

    public static final int STATUS_INTERRUPT = 1 << 3;
    public static final int STATUS_CAPABILITIES_LIST = 1 << 4;

    /**
     * Master data parity error; signaled and received target abort; received master abort; signaled
     * system error; detected parity error.
     */
    public static final int STATUS_ERRORS = 1 << 8 | 0x1f << 11;

    /** From one base address register to the next; one of 64 bits is two of them. */
    public static final int BAR_BYTES = 4;

    /** Of a base address register of memory: all but the address. */
    public static final int BAR_TYPE = 0xf;

    public static final int BAR_64_BIT = 0x4;
    public static final int BAR_PREFETCHABLE = 0x8;

    /** Bytes: what a function places itself begins here. */
    public static final int LENGTH = 0x40;

    private Header() {}
  }

  /** What begins a capability of the standard list (PCIe 6.0 7.5.3.1). */
  public static final class Capability {
    public static final int ID = 0;
    public static final int NEXT = 1;

    /** What is left of a pointer: the low bits are reserved (PCIe 6.0 7.5.1.1.11). */
    public static final int POINTER_MASK = 0xfc;

    private Capability() {}
  }

  /** What begins a capability of the extended list (PCIe 6.0 7.6.3). */
  public static final class ExtendedCapability {
    /** Of the first. */
    public static final int START = 0x100;

    public static final int ID_MASK = 0xffff;
    public static final int VERSION_SHIFT = 16;
    public static final int VERSION_MASK = 0xf;
    public static final int NEXT_SHIFT = 20;

    private ExtendedCapability() {}
  }

  /** Power Management (PCIe 6.0 7.5.2). */
  public static final class PowerManagement {
    public static final int ID = 0x01;
    public static final int LENGTH = 8;
    public static final int CAPABILITIES = 2;
    public static final int CONTROL_STATUS = 4;

    public static final int POWER_STATE = 0x3;
    public static final int NO_SOFT_RESET = 1 << 3;

    public static final int D0 = 0;
    public static final int D3HOT = 3;

    private PowerManagement() {}
  }

  /** MSI (PCIe 6.0 7.7.1), with 64-bit addresses and masks. */
  public static final class Msi {
    public static final int ID = 0x05;
    public static final int LENGTH = 0x18;
    public static final int MESSAGE_CONTROL = 0x02;
    public static final int MESSAGE_ADDRESS = 0x04;
    public static final int MESSAGE_UPPER_ADDRESS = 0x08;
    public static final int MESSAGE_DATA = 0x0c;
    public static final int MASK_BITS = 0x10;
    public static final int PENDING_BITS = 0x14;

    public static final int ENABLE = 1;
    public static final int MULTIPLE_MESSAGE_CAPABLE_SHIFT = 1;
    public static final int MULTIPLE_MESSAGE_ENABLE_SHIFT = 4;
    public static final int MULTIPLE_MESSAGE_ENABLE = 7 << MULTIPLE_MESSAGE_ENABLE_SHIFT;
    public static final int ADDRESS_64 = 1 << 7;

    /** The message goes to whole words of 4 bytes. */
    public static final int ADDRESS_LOW_BITS = 0x3;

    public static final int PER_VECTOR_MASKING = 1 << 8;

    private Msi() {}
  }

  /** Vendor-specific (PCIe 6.0 7.9.4): after the header, the length and the vendor's own bytes. */
  public static final class VendorSpecific {
    public static final int ID = 0x09;
    public static final int CAPABILITY_LENGTH = 2;
    public static final int DATA = 3;

    private VendorSpecific() {}
  }

  /** PCI Express, version 2 (PCIe 6.0 7.5.3). */
  public static final class Express {
    public static final int ID = 0x10;
    public static final int LENGTH = 0x3c;
    public static final int CAPABILITIES = 0x02;
    public static final int DEVICE_CAPABILITIES = 0x04;
    public static final int DEVICE_CONTROL = 0x08;
    public static final int DEVICE_STATUS = 0x0a;
    public static final int LINK_CAPABILITIES = 0x0c;
    public static final int LINK_CONTROL = 0x10;
    public static final int LINK_STATUS = 0x12;
    public static final int DEVICE_CAPABILITIES_2 = 0x24;
    public static final int DEVICE_CONTROL_2 = 0x28;
    public static final int LINK_CAPABILITIES_2 = 0x2c;
    public static final int LINK_CONTROL_2 = 0x30;
    public static final int LINK_STATUS_2 = 0x32;

    public static final int FUNCTION_LEVEL_RESET_CAPABLE = 1 << 28;
    public static final int INITIATE_FUNCTION_LEVEL_RESET = 1 << 15;

    private Express() {}
  }

  /** MSI-X (PCIe 6.0 7.7.2). */
  public static final class Msix {
    public static final int ID = 0x11;
    public static final int LENGTH = 12;
    public static final int MESSAGE_CONTROL = 2;
    public static final int TABLE = 4;
    public static final int PENDING = 8;

    public static final int TABLE_SIZE = 0x7ff;
    public static final int FUNCTION_MASK = 1 << 14;
    public static final int ENABLE = 1 << 15;

    /** Of {@link #TABLE} and {@link #PENDING}; the rest is the offset. */
    public static final int BAR = 0x7;

    /** Bytes of an entry of the table. */
    public static final int ENTRY_BYTES = 16;

    public static final int ENTRY_ADDRESS = 0;
    public static final int ENTRY_UPPER_ADDRESS = 4;
    public static final int ENTRY_DATA = 8;
    public static final int ENTRY_VECTOR_CONTROL = 12;
    public static final int ENTRY_MASKED = 1;

    private Msix() {}
  }

  /** Advanced Error Reporting, version 2 (PCIe 6.0 7.8.4). */
  public static final class AdvancedErrorReporting {
    public static final int ID = 0x0001;
    public static final int VERSION = 2;

    /** Up to the end of the TLP Prefix Log. */
    public static final int LENGTH = 0x48;

    public static final int UNCORRECTABLE_STATUS = 0x04;
    public static final int UNCORRECTABLE_MASK = 0x08;
    public static final int UNCORRECTABLE_SEVERITY = 0x0c;
    public static final int CORRECTABLE_STATUS = 0x10;
    public static final int CORRECTABLE_MASK = 0x14;
    public static final int CAPABILITIES_AND_CONTROL = 0x18;
    public static final int HEADER_LOG = 0x1c;

    private AdvancedErrorReporting() {}
  }

  /** The Device Serial Number (PCIe 6.0 7.9.3). */
  public static final class SerialNumber {
    public static final int ID = 0x0003;
    public static final int VERSION = 1;
    public static final int LENGTH = 12;
    public static final int SERIAL_NUMBER = 4;

    private SerialNumber() {}
  }

  /** Vendor-specific of the extended list (PCIe 6.0 7.9.5): header, then the vendor's own bytes. */
  public static final class VendorSpecificExtended {
    public static final int ID = 0x000b;
    public static final int VERSION = 1;
    public static final int VENDOR_HEADER = 4;
    public static final int DATA = 8;
    public static final int VENDOR_REVISION_SHIFT = 16;
    public static final int VENDOR_LENGTH_SHIFT = 20;

    private VendorSpecificExtended() {}
  }
}
