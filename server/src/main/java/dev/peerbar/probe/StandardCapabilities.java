package dev.peerbar.probe;

import dev.peerbar.pci.ConfigLayout;
import dev.peerbar.pci.ConfigLayout.Msi;
import dev.peerbar.pci.ConfigLayout.Msix;
import dev.peerbar.probe.Capability.Decoded;
import java.util.Map;

/** Which capability a number below 0x100 stands for (PCI Code and ID Assignment 1.11, 2). */
final class StandardCapabilities {
  static final int NULL = 0x00;
  static final int PCI_X = 0x07;
  static final int HOT_PLUG = 0x0c;

  private static final int FLAGS = 2;

  /** What lspci calls those that have contents, which are not decoded here. */
  private static final Map<Integer, String> NAMES =
      Map.ofEntries(
          Map.entry(0x02, "AGP"),
          Map.entry(0x03, "Vital Product Data"),
          Map.entry(0x04, "Slot ID"),
          Map.entry(0x06, "CompactPCI hot-swap"),
          Map.entry(PCI_X, "PCI-X non-bridge device"),
          Map.entry(0x08, "HyperTransport"),
          Map.entry(0x0a, "Debug port"),
          Map.entry(0x0b, "CompactPCI central resource control"),
          Map.entry(0x0d, "Subsystem"),
          Map.entry(0x0e, "AGP3"),
          Map.entry(0x0f, "Secure device"),
          Map.entry(0x12, "SATA HBA"),
          Map.entry(0x13, "PCI Advanced Features"),
          Map.entry(0x14, "Enhanced Allocation (EA)"));

  private StandardCapabilities() {}

  /** Decodes the capability at an offset, whose first 4 bytes are there. */
  static Decoded decode(ConfigBytes config, int at, int id, boolean memoryBar) {
    return switch (id) {
      case ConfigLayout.PowerManagement.ID -> PowerManagement.decode(config, at);
      case Msi.ID -> MessageInterrupts.decodeMsi(config, at);
      case Msix.ID -> MessageInterrupts.decodeMsix(config, at);
      case ConfigLayout.VendorSpecific.ID -> VendorSpecific.decode(config, at);
      case ConfigLayout.Express.ID -> Express.decode(config, at, memoryBar);
      case NULL -> Decoded.named("Null");
      case HOT_PLUG -> Decoded.named("Hot-plug capable");
      default ->
          NAMES.containsKey(id)
              ? Decoded.undecoded(NAMES.get(id))
              : Decoded.named("Capability ID 0x%x [%04x]".formatted(id, config.wordAt(at + FLAGS)));
    };
  }
}
