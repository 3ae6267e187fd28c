package dev.peerbar.lab.guest;

import dev.peerbar.linux.Errno;
import dev.peerbar.pci.ConfigLayout.Capability;
import dev.peerbar.pci.ConfigLayout.Express;
import dev.peerbar.pci.ConfigLayout.Header;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;

/**
 * A PCI function of the guest, through sysfs.
 *
 * @param system the guest
 * @param address such as {@code 0000:03:00.0}
 * @param vendorId 16 bits
 * @param deviceId 16 bits
 * @param classCode 24 bits
 */
public record PciDevice(
    GuestSystem system, String address, int vendorId, int deviceId, int classCode) {
  private static final String DEVICES = "/sys/bus/pci/devices/";

  /** Of the PCI Express capability of a port (PCIe 6.0 7.5.3.2 and 7.5.3.9). */
  private static final int SLOT_IMPLEMENTED = 1 << 8;

  private static final int SLOT_CAPABILITIES = 0x14;
  private static final int SLOT_NUMBER_SHIFT = 19;
  private static final String VFIO_PCI = "vfio-pci";

  static PciDevice at(GuestSystem system, String address) throws IOException {
    String directory = DEVICES + address + "/";
    return new PciDevice(
        system,
        address,
        Integer.decode(system.readText(directory + "vendor")),
        Integer.decode(system.readText(directory + "device")),
        Integer.decode(system.readText(directory + "class")));
  }

  /** The path of one of its sysfs attributes. */
  public String attribute(String name) {
    return DEVICES + address + "/" + name;
  }

  /** Its config space as far as it goes: 256 or 4096 bytes, little-endian. */
  public ByteBuffer config() throws IOException {
    return ByteBuffer.wrap(system.readFile(attribute("config"))).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Writes 8 bytes of config space, behind the back of whatever driver it has. */
  public void writeConfig(int offset, long value) throws IOException {
    int fd = system.open(attribute("config"), GuestSystem.OpenFlag.READ_WRITE);
    try {
      byte[] bytes =
          ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
      system.pwrite(fd, bytes, offset);
    } finally {
      system.close(fd);
    }
  }

  /** The physical slot number of a PCI Express port (PCIe 6.0 7.5.3.9), or -1 if it has no slot. */
  int slotNumber() throws IOException {
    ByteBuffer config = config();
    int at = pointer(config, Header.CAPABILITIES_POINTER);
    while (at != 0) {
      if (config.get(at + Capability.ID) == Express.ID) {
        boolean hasSlot = (config.getShort(at + Express.CAPABILITIES) & SLOT_IMPLEMENTED) != 0;
        return hasSlot ? config.getInt(at + SLOT_CAPABILITIES) >>> SLOT_NUMBER_SHIFT : -1;
      }
      at = pointer(config, at + Capability.NEXT);
    }
    return -1;
  }

  private static int pointer(ByteBuffer config, int offset) {
    return config.get(offset) & Capability.POINTER_MASK;
  }

  /** The driver it is bound to. */
  public Optional<String> driver() throws IOException {
    try {
      String link = system.readLink(attribute("driver"));
      return Optional.of(link.substring(link.lastIndexOf('/') + 1));
    } catch (GuestErrnoException e) {
      if (e.is(Errno.ENOENT)) {
        return Optional.empty();
      }
      throw e;
    }
  }

  /** Takes it from its driver, if it has one. */
  public void unbind() throws IOException {
    if (driver().isPresent()) {
      system.writeText(attribute("driver/unbind"), address);
    }
  }

  /** Binds it to vfio-pci, away from another driver if need be. */
  public PciDevice bindVfio() throws IOException {
    if (driver().filter(VFIO_PCI::equals).isPresent()) {
      return this;
    }
    unbind();
    system.writeText(attribute("driver_override"), VFIO_PCI);
    system.writeText("/sys/bus/pci/drivers_probe", address);
    if (driver().filter(VFIO_PCI::equals).isEmpty()) {
      throw new IOException(address + " did not bind to " + VFIO_PCI);
    }
    return this;
  }

  /** Gives it back to the driver that would have had it. */
  public void unbindVfio() throws IOException {
    unbind();
    system.writeText(attribute("driver_override"), "\n");
    system.writeText("/sys/bus/pci/drivers_probe", address);
  }

  /** Binds it to a driver, by that driver's name, to which it must not be bound yet. */
  public void bind(String driver) throws IOException {
    system.writeText("/sys/bus/pci/drivers/" + driver + "/bind", address);
  }

  /** Resets the function as the kernel finds best, and lets its driver know. */
  public void reset() throws IOException {
    system.writeText(attribute("reset"), "1");
  }

  /** The port that it is behind, which has to be there. */
  public PciDevice port() throws IOException {
    String[] path = system.readLink("/sys/bus/pci/devices/" + address).split("/");
    return at(system, path[path.length - 2]);
  }

  /** Lets the kernel forget the function, as if it had been pulled out. */
  public void remove() throws IOException {
    system.writeText(attribute("remove"), "1");
  }

  /**
   * Maps memory that the function's driver has published for peer-to-peer DMA ({@code
   * p2pmem/allocate}).
   *
   * @param length in bytes, a multiple of the page size
   */
  public GuestMemory allocatePeerMemory(long length) throws IOException {
    int fd = system.open(peerMemory("allocate"), GuestSystem.OpenFlag.READ_WRITE);
    try {
      return new GuestMemory(
          system,
          system.mmap(
              length,
              GuestSystem.Protection.READ_WRITE,
              EnumSet.of(GuestSystem.MapFlag.SHARED),
              fd,
              0),
          length);
    } finally {
      system.close(fd); // the mapping stays
    }
  }

  /** The path of an attribute of the memory that it has published for peer-to-peer DMA. */
  public String peerMemory(String name) {
    return attribute("p2pmem/" + name);
  }

  /** The character device of a function that is bound to vfio-pci. */
  public String vfioCdev() throws IOException {
    List<String> names = system.list(attribute("vfio-dev"));
    return "/dev/vfio/devices/" + names.getFirst();
  }

  @Override
  public String toString() {
    return "%s [%04x:%04x]".formatted(address, vendorId, deviceId);
  }
}
