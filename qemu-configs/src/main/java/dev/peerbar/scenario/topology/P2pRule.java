package dev.peerbar.scenario.topology;

import dev.peerbar.scenario.topology.PciPath.Hop;
import dev.peerbar.scenario.topology.PciPath.HostBridge;
import dev.peerbar.scenario.topology.PciPath.Id;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Who may reach whose memory, and how, by what Linux documents
 * (Documentation/driver-api/pci/p2pdma.rst) and has listed for its host bridges
 * (drivers/pci/p2pdma.c, Linux 7.3): computed from what anybody can see, to hold the kernel to it.
 */
public final class P2pRule {
  /** The AMD families whose host bridges let peer-to-peer DMA through: Zen, and what came after. */
  private static final int FIRST_ZEN = 0x17;

  private static final int INTEL = 0x8086;
  private static final int GOOGLE = 0x1ae0;
  private static final int NVIDIA = 0x10de;

  /** Trusted within one host bridge only, by a comparison that the kernel makes in few cases. */
  private static final Set<Id> WITHIN_ONE = ids(INTEL, 0x3c00, 0x3c01, 0x2f00, 0x2f01);

  private static final Map<Integer, Set<Id>> BETWEEN =
      Map.of(
          INTEL,
          ids(INTEL, 0x2030, 0x2031, 0x2032, 0x2033, 0x2020, 0x09a2),
          NVIDIA,
          ids(NVIDIA, 0x2f95, 0x2f96, 0x2f97, 0x2f98));

  /** What comes of a transfer. */
  public enum Path {
    /**
     * It turns at a port below the host bridge: the initiator is given the target's bus address.
     */
    BUS_ADDRESS("by its bus address"),

    /** It goes through the host bridge: the initiator is given a DMA address, as for memory. */
    HOST_BRIDGE("through the host bridge"),

    /** The kernel refuses it. */
    REFUSED("not at all");

    private final String words;

    Path(String words) {
      this.words = words;
    }

    @Override
    public String toString() {
      return words;
    }
  }

  /**
   * The guest's first processor.
   *
   * @param vendor as CPUID has it, such as {@code AuthenticAMD}
   * @param family as the kernel counts it
   */
  public record Cpu(String vendor, int family) {
    /**
     * That of {@code /proc/cpuinfo}.
     *
     * @throws IllegalArgumentException if it says nothing of vendor and family
     */
    public static Cpu parse(String cpuinfo) {
      return new Cpu(field(cpuinfo, "vendor_id"), Integer.parseInt(field(cpuinfo, "cpu family")));
    }

    private static String field(String cpuinfo, String name) {
      return cpuinfo
          .lines()
          .filter(line -> line.startsWith(name))
          .findFirst()
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .orElseThrow(() -> new IllegalArgumentException("no " + name + " in /proc/cpuinfo"));
    }

    boolean letsPeersThrough() {
      return vendor.equals("AuthenticAMD") && family >= FIRST_ZEN;
    }
  }

  private P2pRule() {}

  /** By which way a client reaches a provider's memory. */
  public static Path path(PciPath provider, PciPath client, Cpu cpu) {
    Optional<String> common =
        provider.hops().stream()
            .map(Hop::address)
            .filter(address -> client.hops().stream().anyMatch(h -> h.address().equals(address)))
            .findFirst();
    if (common.isPresent()
        && !redirects(provider, common.get(), true)
        && !redirects(client, common.get(), false)) {
      return Path.BUS_ADDRESS;
    }
    return cpu.letsPeersThrough() || hostsAreTrusted(provider.host(), client.host())
        ? Path.HOST_BRIDGE
        : Path.REFUSED;
  }

  /**
   * Whether something on the way up to a common port redirects.
   *
   * @param itself whether the common port counts too
   */
  private static boolean redirects(PciPath path, String common, boolean itself) {
    for (Hop hop : path.hops()) {
      boolean last = hop.address().equals(common);
      if ((!last || itself) && hop.redirects()) {
        return true;
      }
      if (last) {
        return false;
      }
    }
    return false;
  }

  private static boolean hostsAreTrusted(HostBridge one, HostBridge other) {
    boolean same = one.bus().equals(other.bus());
    return isTrusted(one, same) && isTrusted(other, same);
  }

  private static boolean isTrusted(HostBridge host, boolean same) {
    return host.id()
        .map(id ->
            id.vendor() == GOOGLE
                || BETWEEN.getOrDefault(id.vendor(), Set.of()).contains(id)
                || same && WITHIN_ONE.contains(id))
        .orElse(false);
  }

  private static Set<Id> ids(int vendor, Integer... devices) {
    return Set.copyOf(List.of(devices).stream().map(device -> new Id(vendor, device)).toList());
  }
}
