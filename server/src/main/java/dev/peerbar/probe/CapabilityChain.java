package dev.peerbar.probe;

import dev.peerbar.pci.ConfigLayout;
import dev.peerbar.pci.ConfigLayout.ExtendedCapability;
import dev.peerbar.pci.ConfigLayout.Header;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Walks the two lists of capabilities (PCIe 6.0 7.5.1.1.11 and 7.6.1). Takes any bytes: a chain
 * that loops or leaves config space ends there.
 */
final class CapabilityChain {
  private static final int POINTER_MASK = ~3;
  private static final int STANDARD_HEADER = 4;
  private static final int BROKEN_ID = 0xff;

  private static final int EXTENDED_HEADER = 4;

  private final ConfigBytes config;
  private final boolean memoryBar;
  private final List<Capability> found = new ArrayList<>();

  private CapabilityChain(ConfigBytes config, boolean memoryBar) {
    this.config = config;
    this.memoryBar = memoryBar;
  }

  /**
   * Decodes all capabilities, in the order of their chains.
   *
   * @param memoryBar whether the function has a memory BAR, which tells what it can complete
   */
  static List<Capability> decode(ConfigBytes config, boolean memoryBar) {
    CapabilityChain chain = new CapabilityChain(config, memoryBar);
    if ((config.wordAt(Header.STATUS) & Header.STATUS_CAPABILITIES_LIST) != 0) {
      chain.walkStandard();
    }
    if (chain.found.stream().anyMatch(CapabilityChain::allowsExtended)) {
      chain.walkExtended();
    }
    return chain.found;
  }

  /** Only PCI Express and PCI-X functions have more than 256 bytes. */
  private static boolean allowsExtended(Capability capability) {
    return capability.id() == ConfigLayout.Express.ID
        || capability.id() == StandardCapabilities.PCI_X;
  }

  private void walkStandard() {
    Set<Integer> seen = new HashSet<>();
    int at = config.byteAt(Header.CAPABILITIES_POINTER) & POINTER_MASK;
    while (at != 0) {
      if (!config.has(at, STANDARD_HEADER)) {
        add(at, OptionalInt.empty(), Capability.Decoded.named("<outside of config space>"));
        return;
      }
      int id = config.byteAt(at);
      if (!seen.add(at)) {
        add(at, OptionalInt.empty(), Capability.Decoded.named("<chain looped>"));
        return;
      }
      if (id == BROKEN_ID) {
        add(at, OptionalInt.empty(), Capability.Decoded.named("<chain broken>"));
        return;
      }
      add(at, id, OptionalInt.empty(), StandardCapabilities.decode(config, at, id, memoryBar));
      at = config.byteAt(at + ConfigLayout.Capability.NEXT) & POINTER_MASK;
    }
  }

  private void walkExtended() {
    Set<Integer> seen = new HashSet<>();
    int at = ExtendedCapability.START;
    while (at != 0 && config.has(at, EXTENDED_HEADER)) {
      int header = config.longAt(at);
      if (header == 0 || header == -1) {
        return;
      }
      int id = header & ExtendedCapability.ID_MASK;
      OptionalInt version =
          OptionalInt.of(
              header >>> ExtendedCapability.VERSION_SHIFT & ExtendedCapability.VERSION_MASK);
      if (!seen.add(at)) {
        add(at, id, version, Capability.Decoded.named("<chain looped>"));
        return;
      }
      add(at, id, version, ExtendedCapabilities.decode(config, at, id));
      at = header >>> ExtendedCapability.NEXT_SHIFT & POINTER_MASK;
    }
  }

  private void add(int at, OptionalInt version, Capability.Decoded decoded) {
    add(at, 0, version, decoded);
  }

  private void add(int at, int id, OptionalInt version, Capability.Decoded decoded) {
    found.add(decoded.at(at, id, version));
  }
}
