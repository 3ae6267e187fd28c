package dev.peerbar.lab.guest;

import dev.peerbar.lab.guest.GuestSystem.MapFlag;
import dev.peerbar.lab.guest.GuestSystem.Protection;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The guest, as a place to find devices and allocate memory in. May be used from any thread, one
 * call at a time.
 */
public final class Guest {
  private static final String DEVICES = "/sys/bus/pci/devices";
  private static final String IOMMUS = "/sys/class/iommu";
  private static final int BRIDGE_CLASS = 0x0604;
  private static final String FUNCTION_0 = "[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\\.0";
  private static final int MADV_NOHUGEPAGE = 15;

  /** How long a program may take: generous, for TCG on a busy machine. */
  public static final Duration PROGRAM_LIMIT = Duration.ofMinutes(3);

  private final GuestSystem system;
  private final AtomicInteger numbers = new AtomicInteger();

  /** By slot. They stay where they are: to look for one takes hundreds of calls. */
  private final Map<Integer, PciDevice> ports = new ConcurrentHashMap<>();

  public Guest(GuestSystem system) {
    this.system = system;
  }

  /** Its kernel by system calls. */
  public GuestSystem system() {
    return system;
  }

  public GuestAgent agent() {
    return system.agent();
  }

  /** A function by its address, such as {@code 0000:03:00.0}. */
  public PciDevice pci(String address) throws IOException {
    return PciDevice.at(system, address);
  }

  /** All functions, by address. */
  public List<PciDevice> pciDevices() throws IOException {
    List<PciDevice> all = new ArrayList<>();
    for (String address : system.list(DEVICES)) {
      all.add(pci(address));
    }
    return List.copyOf(all);
  }

  /**
   * The function in a PCI Express slot: behind the port whose slot capabilities have this physical
   * slot number. Endpoint A of every topology is in slot 1, B in slot 2.
   *
   * @throws IOException if there is none
   */
  public PciDevice pciInSlot(int slot) throws IOException {
    return findInSlot(slot).orElseThrow(() -> new IOException("there is nothing in slot " + slot));
  }

  /** The same, if there is one. */
  public Optional<PciDevice> findInSlot(int slot) throws IOException {
    PciDevice port = portOf(slot);
    if (port == null) {
      return Optional.empty();
    }
    for (String name : system.list(port.attribute(""))) {
      if (name.matches(FUNCTION_0)) {
        return Optional.of(pci(name));
      }
    }
    return Optional.empty();
  }

  private PciDevice portOf(int slot) throws IOException {
    PciDevice known = ports.get(slot);
    if (known != null) {
      return known;
    }
    for (PciDevice port : pciDevices()) {
      if (port.classCode() >> 8 == BRIDGE_CLASS && port.slotNumber() == slot) {
        ports.put(slot, port);
        return port;
      }
    }
    return null;
  }

  /**
   * The first function with these identifiers.
   *
   * @param vendorId 16 bits
   * @param deviceId 16 bits
   * @throws IOException if there is none
   */
  public PciDevice pciWithId(int vendorId, int deviceId) throws IOException {
    for (PciDevice device : pciDevices()) {
      if (device.vendorId() == vendorId && device.deviceId() == deviceId) {
        return device;
      }
    }
    throw new IOException("there is no function %04x:%04x".formatted(vendorId, deviceId));
  }

  /** Lets the kernel look for functions that it does not know, or was told to forget. */
  public void rescanPci() throws IOException {
    system.writeText("/sys/bus/pci/rescan", "1");
  }

  /**
   * The IOMMUs that its kernel drives, as it calls them: {@code dmar0}, {@code ivhd0}, or as the
   * function that is one. None where the kernel drives no IOMMU of any kind.
   */
  public List<String> iommus() throws IOException {
    return system.exists(IOMMUS) ? system.list(IOMMUS) : List.of();
  }

  /** Memory of 4 KiB pages, which an IOMMU sees one by one; all there and zeroed. */
  public GuestMemory allocate(long length) throws IOException {
    return allocate(length, length);
  }

  /**
   * Memory that begins with 4 KiB pages and goes on with huge ones where the kernel finds them; all
   * there and zeroed.
   *
   * @param small bytes of 4 KiB pages
   */
  public GuestMemory allocate(long length, long small) throws IOException {
    GuestMemory memory = map(length, EnumSet.of(MapFlag.PRIVATE, MapFlag.ANONYMOUS));
    agent()
        .syscall(
            Syscall.MADVISE,
            Argument.of(memory.address()),
            Argument.of(small),
            Argument.of(MADV_NOHUGEPAGE));
    memory.fill(0, length, (byte) 0);
    return memory;
  }

  /** Memory of huge pages where the kernel finds them; all there and zeroed. */
  public GuestMemory allocateHuge(long length) throws IOException {
    GuestMemory memory = map(length, EnumSet.of(MapFlag.PRIVATE, MapFlag.ANONYMOUS));
    memory.fill(0, length, (byte) 0);
    return memory;
  }

  private GuestMemory map(long length, Set<MapFlag> flags) throws IOException {
    return new GuestMemory(
        system, system.mmap(length, Protection.READ_WRITE, flags, -1, 0), length);
  }

  /** A new eventfd. */
  public EventFd eventFd() throws IOException {
    return new EventFd(system, system.eventFd());
  }

  /**
   * Starts a program of the guest.
   *
   * @param words its name, to be found on the usual paths, and its arguments
   */
  public GuestProgram start(String... words) throws IOException {
    return GuestProgram.start(system, numbers.incrementAndGet(), List.of(words));
  }

  /**
   * Runs a program of the guest to its end, which takes less than {@link #PROGRAM_LIMIT}.
   *
   * @param words its name, to be found on the usual paths, and its arguments
   * @return how it ended, well or not
   * @throws IOException if it did not end, and was killed
   */
  public GuestProgram.Outcome run(String... words) throws IOException {
    return start(words).finish(PROGRAM_LIMIT);
  }

  /** Marks a place in the kernel's log, to see later what was logged since. */
  public KernelLogMark markKernelLog(String what) throws IOException {
    return KernelLogMark.set(system, numbers.incrementAndGet(), what);
  }

  /** The kernel's log so far. */
  public String kernelLog() throws IOException {
    return system.kernelLog();
  }
}
