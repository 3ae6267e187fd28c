package dev.peerbar.probe;

import dev.peerbar.pci.ConfigLayout;
import dev.peerbar.probe.Capability.Decoded;
import java.util.Map;

/** Which extended capability a number stands for (PCI Code and ID Assignment 1.11, 3). */
final class ExtendedCapabilities {
  static final int NULL = 0x00;

  /** What lspci calls those that have contents, which are not decoded here. */
  private static final Map<Integer, String> NAMES =
      Map.ofEntries(
          Map.entry(0x02, "Virtual Channel"),
          Map.entry(0x04, "Power Budgeting"),
          Map.entry(0x05, "Root Complex Link"),
          Map.entry(0x06, "Root Complex Internal Link"),
          Map.entry(0x07, "Root Complex Event Collector Endpoint Association"),
          Map.entry(0x08, "Multi-Function Virtual Channel"),
          Map.entry(0x09, "Virtual Channel"),
          Map.entry(0x0a, "Root Complex Register Block"),
          Map.entry(0x0d, "Access Control Services"),
          Map.entry(0x0e, "Alternative Routing-ID Interpretation (ARI)"),
          Map.entry(0x0f, "Address Translation Service (ATS)"),
          Map.entry(0x10, "Single Root I/O Virtualization (SR-IOV)"),
          Map.entry(0x11, "Multi-Root I/O Virtualization"),
          Map.entry(0x12, "Multicast"),
          Map.entry(0x13, "Page Request Interface (PRI)"),
          Map.entry(0x15, "Physical Resizable BAR"),
          Map.entry(0x16, "Dynamic Power Allocation"),
          Map.entry(0x17, "Transaction Processing Hints"),
          Map.entry(0x18, "Latency Tolerance Reporting"),
          Map.entry(0x19, "Secondary PCI Express"),
          Map.entry(0x1a, "Protocol Multiplexing"),
          Map.entry(0x1b, "Process Address Space ID (PASID)"),
          Map.entry(0x1c, "LN Requester"),
          Map.entry(0x1d, "Downstream Port Containment"),
          Map.entry(0x1e, "L1 PM Substates"),
          Map.entry(0x1f, "Precision Time Measurement"),
          Map.entry(0x20, "PCI Express over M_PHY"),
          Map.entry(0x21, "FRS Queueing"),
          Map.entry(0x22, "Readiness Time Reporting"),
          Map.entry(0x23, "Designated Vendor-Specific"),
          Map.entry(0x24, "Virtual Resizable BAR"),
          Map.entry(0x25, "Data Link Feature"),
          Map.entry(0x26, "Physical Layer 16.0 GT/s"),
          Map.entry(0x27, "Lane Margining at the Receiver"),
          Map.entry(0x28, "Hierarchy ID"),
          Map.entry(0x29, "Native PCIe Enclosure Management"),
          Map.entry(0x2e, "Data Object Exchange"));

  private ExtendedCapabilities() {}

  /** Decodes the capability at an offset, whose first 4 bytes are there. */
  static Decoded decode(ConfigBytes config, int at, int id) {
    return switch (id) {
      case ConfigLayout.AdvancedErrorReporting.ID -> AdvancedErrorReporting.decode(config, at);
      case ConfigLayout.SerialNumber.ID -> SerialNumber.decode(config, at);
      case ConfigLayout.VendorSpecificExtended.ID -> VendorSpecific.decodeExtended(config, at);
      case NULL -> Decoded.named("Null");
      default ->
          NAMES.containsKey(id)
              ? Decoded.undecoded(NAMES.get(id))
              : Decoded.named("Extended Capability ID 0x%x".formatted(id));
    };
  }
}
