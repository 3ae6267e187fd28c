package dev.peerbar.pci;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * Declares a function: {@link PciFunction#builder()}.
 *
 * <p>Every function has the Power Management and the PCI Express capability (PCIe 6.0 7.5 asks both
 * of every function) and function-level reset. Every method throws {@link IllegalArgumentException}
 * with one sentence that says what is wrong with the declaration.
 */
public final class PciFunctionBuilder {
  private static final int LAST_BAR = 5;
  private static final int SMALLEST_BAR = 16;
  private static final long LARGEST_32_BIT_BAR = 1L << 31;
  private static final int PAGE = 4096;
  private static final int DOORBELL_BYTES = 4;
  private static final int MSIX_ALIGNMENT = 8;
  private static final int MSIX_VECTORS = 2048;
  private static final int LAST_PIN = 4;

  /** What is there or not, besides BARs and MSI-X. */
  record Options(
      boolean noSoftReset,
      boolean advancedErrorReporting,
      OptionalLong serialNumber,
      OptionalInt msiVectors,
      List<ConfigRegister> registers,
      List<VendorCapability> vendorCapabilities) {}

  private final TreeMap<Integer, Bar> bars = new TreeMap<>();
  private int vendor = -1;
  private int device;
  private int subsystemVendor = -1;
  private int subsystem;
  private int classCode = -1;
  private int revision;
  private int interruptPin;
  private Optional<PciFunction.MsixLayout> msix = Optional.empty();
  private boolean noSoftReset;
  private boolean advancedErrorReporting;
  private OptionalLong serialNumber = OptionalLong.empty();
  private OptionalInt msiVectors = OptionalInt.empty();
  private boolean msixInRegisters;
  private final List<ConfigRegister> registers = new ArrayList<>();
  private final List<VendorCapability> vendorCapabilities = new ArrayList<>();

  PciFunctionBuilder() {}

  /** Vendor and device ID, 16 bits each; the subsystem's are the same unless declared. */
  public PciFunctionBuilder identity(int vendorId, int deviceId) {
    // All ones is what a read of an absent function returns.
    require(vendorId >= 0 && vendorId < 0xffff, "A vendor ID is 0 to 0xfffe, not 0x%x.", vendorId);
    requireBits("A device ID", deviceId, 16);
    vendor = vendorId;
    device = deviceId;
    return this;
  }

  /** Subsystem vendor and subsystem ID, 16 bits each. */
  public PciFunctionBuilder subsystem(int vendorId, int subsystemId) {
    requireBits("A subsystem vendor ID", vendorId, 16);
    requireBits("A subsystem ID", subsystemId, 16);
    subsystemVendor = vendorId;
    subsystem = subsystemId;
    return this;
  }

  /** Base class, sub-class and programming interface, in 24 bits. */
  public PciFunctionBuilder classCode(int code) {
    requireBits("A class code", code, 24);
    classCode = code;
    return this;
  }

  /** 8 bits. */
  public PciFunctionBuilder revision(int id) {
    requireBits("A revision ID", id, 8);
    revision = id;
    return this;
  }

  /** The function has an INTx pin: 1 for INTA to 4 for INTD. */
  public PciFunctionBuilder interruptPin(int pin) {
    require(pin >= 1 && pin <= LAST_PIN, "An interrupt pin is 1 to 4, not %d.", pin);
    interruptPin = pin;
    return this;
  }

  /** A 32-bit BAR of registers, {@code size} bytes. */
  public PciFunctionBuilder registers(int index, long size) {
    return registers(new Bar.Registers(index, size));
  }

  /** A BAR of registers of any type, with mapped doorbells, ioeventfds, or both. */
  public PciFunctionBuilder registers(Bar.Registers bar) {
    bar.mapped().ifPresent(mapped -> checkMapped(bar, mapped));
    checkEvents(bar);
    return addRegisters(bar);
  }

  /**
   * A 32-bit BAR of registers, some writes of which a client may announce by event descriptors.
   *
   * @param events in order of preference: a client may take fewer descriptors than there are
   */
  public PciFunctionBuilder registers(int index, long size, List<Bar.IoEventFd> events) {
    return registers(new Bar.Registers(index, size).events(events));
  }

  private static void checkEvents(Bar.Registers bar) {
    int index = bar.index();
    long size = bar.size();
    List<Bar.IoEventFd> events = bar.events();
    for (Bar.IoEventFd event : events) {
      require(
          event.offset() >= 0
              && event.offset() % event.width().bytes() == 0
              && event.offset() <= size - event.width().bytes(),
          "The ioeventfd at 0x%x is no aligned %d-byte register in BAR %d of 0x%x bytes.",
          event.offset(),
          event.width().bytes(),
          index,
          size);
      require(
          event.width() == AccessWidth.QWORD
              || event.value() >>> event.width().bytes() * Byte.SIZE == 0,
          "The value 0x%x of the ioeventfd at 0x%x does not fit into %d bytes.",
          event.value(),
          event.offset(),
          event.width().bytes());
      require(
          bar.mapped().isEmpty()
              || !bar.mapped().get().touches(event.offset(), event.width().bytes()),
          "The ioeventfd at 0x%x is in the mapped area of BAR %d, where no kernel sees writes.",
          event.offset(),
          index);
    }
    require(new HashSet<>(events).size() == events.size(), "Two ioeventfds are the same write.");
  }

  /** A 32-bit BAR of registers with doorbells in shared memory. */
  public PciFunctionBuilder registers(int index, long size, Bar.Doorbells mapped) {
    return registers(new Bar.Registers(index, size).mapped(mapped));
  }

  private static void checkMapped(Bar.Registers bar, Bar.Doorbells mapped) {
    int index = bar.index();
    long size = bar.size();
    require(
        mapped.offset() >= 0
            && mapped.offset() % PAGE == 0
            && mapped.length() > 0
            && mapped.length() % PAGE == 0,
        "Mapped doorbells take whole pages of 4096 bytes, not 0x%x bytes at 0x%x.",
        mapped.length(),
        mapped.offset());
    require(
        mapped.offset() <= size - mapped.length(),
        "The mapped doorbells, 0x%x bytes at 0x%x, do not fit into BAR %d of 0x%x bytes.",
        mapped.length(),
        mapped.offset(),
        index,
        size);
    require(
        mapped.stride() >= DOORBELL_BYTES
            && mapped.stride() % DOORBELL_BYTES == 0
            && mapped.count() > 0
            && (mapped.count() - 1L) * mapped.stride() <= mapped.length() - DOORBELL_BYTES,
        "%d doorbells %d bytes apart are not 4-byte registers within 0x%x bytes.",
        mapped.count(),
        mapped.stride(),
        mapped.length());
  }

  /** A 64-bit prefetchable BAR of {@code size} bytes of memory; it takes the next index too. */
  public PciFunctionBuilder memory(int index, long size) {
    check64BitIndex(index);
    require(
        size >= PAGE && Long.bitCount(size) == 1,
        "The size of memory BAR %d is a power of two of at least 4096 bytes, not %d.",
        index,
        size);
    return add(new Bar.Memory(index, size));
  }

  /**
   * MSI-X, with a 32-bit BAR of its own for the structures.
   *
   * @param vectors 1 to 2048
   * @param tableOffset of the table in the BAR, in bytes, 8-byte aligned
   * @param pendingOffset of the pending bits in the BAR, in bytes, 8-byte aligned
   */
  public PciFunctionBuilder msix(
      int index, long size, int vectors, long tableOffset, long pendingOffset) {
    checkVectors(vectors);
    PciFunction.MsixLayout layout =
        new PciFunction.MsixLayout(vectors, index, tableOffset, pendingOffset);
    checkStructures(layout, size);
    add32Bit(new Bar.Msix(index, size));
    msix = Optional.of(layout);
    return this;
  }

  /**
   * MSI-X, with the structures in a BAR of registers, which the host serves there; the rest of the
   * BAR is the endpoint's. The BAR is declared by another call, before this one or after it.
   *
   * @param vectors 1 to 2048
   * @param tableOffset of the table in the BAR, in bytes, 8-byte aligned
   * @param pendingOffset of the pending bits in the BAR, in bytes, 8-byte aligned
   */
  public PciFunctionBuilder msixIn(int bar, int vectors, long tableOffset, long pendingOffset) {
    checkVectors(vectors);
    msix = Optional.of(new PciFunction.MsixLayout(vectors, bar, tableOffset, pendingOffset));
    msixInRegisters = true;
    return this;
  }

  private void checkVectors(int vectors) {
    require(msix.isEmpty(), "MSI-X is declared twice.");
    require(
        vectors >= 1 && vectors <= MSIX_VECTORS,
        "A function has 1 to 2048 MSI-X vectors, not %d.",
        vectors);
  }

  private static void checkStructures(PciFunction.MsixLayout layout, long size) {
    requireInside("table", layout.tableOffset(), layout.tableLength(), size);
    requireInside("pending bits", layout.pendingOffset(), layout.pendingLength(), size);
    require(
        layout.tableOffset() + layout.tableLength() <= layout.pendingOffset()
            || layout.pendingOffset() + layout.pendingLength() <= layout.tableOffset(),
        "The MSI-X table at 0x%x and the pending bits at 0x%x overlap.",
        layout.tableOffset(),
        layout.pendingOffset());
  }

  /** What can be judged only when the BAR is known too. */
  private void checkStructuresAmongRegisters(PciFunction.MsixLayout layout) {
    Bar bar = bars.get(layout.bar());
    require(
        bar instanceof Bar.Registers,
        "The MSI-X structures are to be in BAR %d, which is no BAR of registers.",
        layout.bar());
    Bar.Registers in = (Bar.Registers) bar;
    checkStructures(layout, in.size());
    in.mapped()
        .ifPresent(mapped ->
            require(
                !layout.touches(mapped.offset(), mapped.length()),
                "The MSI-X structures are in the mapped doorbells of BAR %d.",
                in.index()));
    for (Bar.IoEventFd event : in.events()) {
      require(
          !layout.touches(event.offset(), event.width().bytes()),
          "The ioeventfd at 0x%x is in the MSI-X structures of BAR %d.",
          event.offset(),
          in.index());
    }
  }

  /**
   * MSI, with 64-bit addresses and per-vector masks, beside MSI-X or without it.
   *
   * @param vectors how many are asked for: 1, 2, 4, 8, 16 or 32
   */
  public PciFunctionBuilder msi(int vectors) {
    require(msiVectors.isEmpty(), "MSI is declared twice.");
    require(
        vectors >= 1 && vectors <= MsiCapability.MOST_VECTORS && Integer.bitCount(vectors) == 1,
        "A function has 1, 2, 4, 8, 16 or 32 MSI vectors, not %d.",
        vectors);
    msiVectors = OptionalInt.of(vectors);
    return this;
  }

  /**
   * A register of config space outside any capability, at its offset: all in 0x40 to 0xff, or all
   * in 0x100 to 0xfff. The lists of capabilities are laid around it. One that does nothing leaves
   * room.
   */
  public PciFunctionBuilder configRegister(ConfigRegister register) {
    registers.add(register);
    return this;
  }

  /** A vendor-specific capability, after those that were declared before. */
  public PciFunctionBuilder vendorCapability(VendorCapability capability) {
    vendorCapabilities.add(capability);
    return this;
  }

  /** A return from D3hot to D0 keeps the function's state (PCIe 6.0 7.5.2.2); by default not. */
  public PciFunctionBuilder noSoftReset() {
    noSoftReset = true;
    return this;
  }

  public PciFunctionBuilder advancedErrorReporting() {
    advancedErrorReporting = true;
    return this;
  }

  /** The Device Serial Number, an EUI-64. */
  public PciFunctionBuilder serialNumber(long serial) {
    serialNumber = OptionalLong.of(serial);
    return this;
  }

  public PciFunction build() {
    require(vendor >= 0, "A function needs a vendor and a device ID.");
    require(classCode >= 0, "A function needs a class code.");
    if (msixInRegisters) {
      checkStructuresAmongRegisters(msix.orElseThrow());
    }
    boolean subsystemDeclared = subsystemVendor >= 0;
    Type0Header.Identity identity =
        new Type0Header.Identity(
            vendor,
            device,
            subsystemDeclared ? subsystemVendor : vendor,
            subsystemDeclared ? subsystem : device,
            classCode,
            revision);
    return new PciFunction(
        identity,
        interruptPin,
        bars.values(),
        msix,
        new Options(
            noSoftReset,
            advancedErrorReporting,
            serialNumber,
            msiVectors,
            List.copyOf(registers),
            List.copyOf(vendorCapabilities)));
  }

  private PciFunctionBuilder addRegisters(Bar.Registers bar) {
    if (bar.type() == Bar.Type.MEMORY_32) {
      return add32Bit(bar);
    }
    check64BitIndex(bar.index());
    require(
        bar.size() >= SMALLEST_BAR && Long.bitCount(bar.size()) == 1,
        "The size of 64-bit BAR %d is a power of two of at least 16 bytes, not %d.",
        bar.index(),
        bar.size());
    return add(bar);
  }

  private static void check64BitIndex(int index) {
    require(
        index >= 0 && index < LAST_BAR && index % 2 == 0,
        "A 64-bit BAR has index 0, 2 or 4, not %d.",
        index);
  }

  private PciFunctionBuilder add32Bit(Bar bar) {
    require(
        bar.index() >= 0 && bar.index() <= LAST_BAR,
        "A BAR has index 0 to 5, not %d.",
        bar.index());
    require(
        bar.size() >= SMALLEST_BAR
            && bar.size() <= LARGEST_32_BIT_BAR
            && Long.bitCount(bar.size()) == 1,
        "The size of 32-bit BAR %d is a power of two from 16 bytes to 2 GiB, not %d.",
        bar.index(),
        bar.size());
    return add(bar);
  }

  private PciFunctionBuilder add(Bar bar) {
    for (int index = bar.index(); index <= lastIndex(bar); index++) {
      for (Bar other : bars.values()) {
        require(
            index < other.index() || index > lastIndex(other), "Two BARs take index %d.", index);
      }
    }
    bars.put(bar.index(), bar);
    return this;
  }

  private static int lastIndex(Bar bar) {
    return bar.index() + bar.type().indexes() - 1;
  }

  private static void requireInside(String what, long offset, long length, long size) {
    require(
        offset >= 0 && offset % MSIX_ALIGNMENT == 0,
        "The offset of the MSI-X %s is a multiple of 8, not %d.",
        what,
        offset);
    require(
        offset <= size - length,
        "The MSI-X %s, 0x%x bytes at 0x%x, must lie inside the BAR of 0x%x bytes.",
        what,
        length,
        offset,
        size);
  }

  private static void requireBits(String what, int value, int bits) {
    require(value >= 0 && value < 1 << bits, "%s has %d bits, 0x%x has more.", what, bits, value);
  }

  private static void require(boolean condition, String sentence, Object... arguments) {
    if (!condition) {
      throw new IllegalArgumentException(sentence.formatted(arguments));
    }
  }
}
