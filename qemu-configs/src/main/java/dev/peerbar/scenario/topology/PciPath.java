package dev.peerbar.scenario.topology;

import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.pci.ConfigLayout.Capability;
import dev.peerbar.pci.ConfigLayout.Express;
import dev.peerbar.pci.ConfigLayout.Header;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Where a function is: what sysfs says of the way from it to its host bridge.
 *
 * @param hops the function itself, then the bridges above it up to the root bus
 * @param host what is above them all
 */
public record PciPath(List<Hop> hops, HostBridge host) {
  private static final String DEVICES = "/sys/bus/pci/devices/";
  private static final String ROOT = "pci";

  /** Where extended capabilities begin (PCIe 6.0 7.6). */
  private static final int EXTENDED = 0x100;

  private static final int EXTENDED_END = 0x1000;

  /** Access Control Services (PCIe 6.0 7.7.11). */
  private static final int ACS = 0x000d;

  private static final int ACS_CAPABILITY = 4;
  private static final int ACS_CONTROL = 6;

  /** P2P Request Redirect, P2P Completion Redirect, P2P Egress Control. */
  private static final int REDIRECT = 1 << 2 | 1 << 3 | 1 << 5;

  /** The first two of these, which a kernel with an IOMMU turns on. */
  static final int REDIRECT_REQUESTS_AND_COMPLETIONS = 1 << 2 | 1 << 3;

  /**
   * Source Validation, P2P Request Redirect, P2P Completion Redirect, Upstream Forwarding: what the
   * kernel wants of a port before it puts what is below into groups of their own (iommu.c,
   * REQ_ACS_FLAGS).
   */
  private static final int ISOLATION = 1 | 1 << 2 | 1 << 3 | 1 << 4;

  private static final int TYPE_SHIFT = 4;
  private static final int TYPE_MASK = 0xf;
  private static final int NO_EXPRESS = -1;
  private static final int ROOT_PORT = 4;
  private static final int DOWNSTREAM_PORT = 6;

  /**
   * A function or port on the way.
   *
   * @param address of PCI
   * @param redirects whether its ACS has peer-to-peer requests redirected upstream
   * @param isolates whether what is below it cannot reach what is beside it but by way of the host
   *     bridge: true of all but root and downstream ports whose ACS does not see to it
   */
  record Hop(String address, boolean redirects, boolean isolates) {}

  /**
   * A host bridge.
   *
   * @param bus its root bus, such as {@code pci0000:00}
   * @param id vendor and device of what stands for it: the first function of its bus, if that is
   *     function 00.0 or a root port
   */
  record HostBridge(String bus, Optional<Id> id) {}

  /** A vendor and one of its devices. */
  record Id(int vendor, int device) {
    @Override
    public String toString() {
      return "%04x:%04x".formatted(vendor, device);
    }
  }

  public PciPath {
    hops = List.copyOf(hops);
  }

  /** That of a function of a guest. */
  public static PciPath of(PciDevice function) throws IOException {
    GuestSystem system = function.system();
    List<String> names =
        Arrays.asList(system.readLink(DEVICES + function.address()).split("/")).reversed();
    List<Hop> hops = new ArrayList<>();
    for (String name : names) {
      if (name.startsWith(ROOT)) {
        return new PciPath(hops, host(system, name));
      }
      ByteBuffer config = config(system, name);
      hops.add(new Hop(name, redirects(config), isolates(config)));
    }
    throw new IOException(function.address() + " is below no host bridge: " + names);
  }

  private static HostBridge host(GuestSystem system, String bus) throws IOException {
    String prefix = bus.substring(ROOT.length()) + ":";
    Optional<String> first =
        system.list("/sys/devices/" + bus).stream()
            .filter(name -> name.startsWith(prefix))
            .min(String::compareTo);
    if (first.isEmpty()) {
      return new HostBridge(bus, Optional.empty());
    }
    ByteBuffer config = config(system, first.get());
    boolean stands = first.get().endsWith(":00.0") || portType(config) == ROOT_PORT;
    return new HostBridge(
        bus,
        stands
            ? Optional.of(
                new Id(
                    Short.toUnsignedInt(config.getShort(0)),
                    Short.toUnsignedInt(config.getShort(2))))
            : Optional.empty());
  }

  private static ByteBuffer config(GuestSystem system, String address) throws IOException {
    return ByteBuffer.wrap(system.readFile(DEVICES + address + "/config"))
        .order(java.nio.ByteOrder.LITTLE_ENDIAN);
  }

  private static int portType(ByteBuffer config) {
    int at = config.get(Header.CAPABILITIES_POINTER) & Capability.POINTER_MASK;
    while (at != 0) {
      if (config.get(at + Capability.ID) == Express.ID) {
        return config.getShort(at + Express.CAPABILITIES) >> TYPE_SHIFT & TYPE_MASK;
      }
      at = config.get(at + Capability.NEXT) & Capability.POINTER_MASK;
    }
    return NO_EXPRESS;
  }

  /** Whether a port's ACS redirects; false where the kernel sees no extended config space. */
  static boolean redirects(ByteBuffer config) {
    OptionalInt acs = acs(config);
    return acs.isPresent() && (config.getShort(acs.getAsInt() + ACS_CONTROL) & REDIRECT) != 0;
  }

  /** Whether a port, if it is one, has all of ACS on that it is capable of and isolation takes. */
  static boolean isolates(ByteBuffer config) {
    int type = portType(config);
    if (type != ROOT_PORT && type != DOWNSTREAM_PORT) {
      return true;
    }
    OptionalInt acs = acs(config);
    if (acs.isEmpty()) {
      return false;
    }
    int wanted = config.getShort(acs.getAsInt() + ACS_CAPABILITY) & ISOLATION;
    return (config.getShort(acs.getAsInt() + ACS_CONTROL) & wanted) == wanted;
  }

  /**
   * The ACS Control register of a port.
   *
   * @throws IOException if it has no ACS
   */
  static int acsControl(PciDevice port) throws IOException {
    ByteBuffer config = port.config();
    return Short.toUnsignedInt(config.getShort(acs(port, config) + ACS_CONTROL));
  }

  /** Writes it, behind the kernel's back. */
  static void setAcsControl(PciDevice port, int control) throws IOException {
    ByteBuffer config = port.config();
    int at = acs(port, config);
    config.putShort(at + ACS_CONTROL, (short) control);
    // What is before it is read-only.
    port.writeConfig(at, config.getLong(at));
  }

  private static int acs(PciDevice port, ByteBuffer config) throws IOException {
    return acs(config).orElseThrow(() -> new IOException(port + " has no ACS"));
  }

  private static OptionalInt acs(ByteBuffer config) {
    int at = EXTENDED;
    while (at >= EXTENDED && at + ACS_CONTROL < Math.min(config.limit(), EXTENDED_END)) {
      int header = config.getInt(at);
      if ((header & 0xffff) == ACS) {
        return OptionalInt.of(at);
      }
      int next = header >>> 20;
      if (next <= at) {
        // Capabilities may be linked backwards; those of ports here are not.
        return OptionalInt.empty();
      }
      at = next;
    }
    return OptionalInt.empty();
  }
}
