package dev.peerbar.probe;

import dev.peerbar.pci.ConfigLayout;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.probe.Capability.Decoded;
import java.util.List;

/**
 * Vendor-specific capabilities (PCIe 6.0 7.9.4 and 7.9.5), with those of virtio (Virtio 1.2 4.1.4).
 */
final class VendorSpecific {
  private static final String NAME = "Vendor Specific Information";

  private static final int VIRTIO_VENDOR = 0x1af4;
  private static final int VIRTIO_FIRST_DEVICE = 0x1000;
  private static final int VIRTIO_LAST_DEVICE = 0x107f;
  private static final int VIRTIO_TYPE = 3;
  private static final int VIRTIO_BAR = 4;
  private static final int VIRTIO_OFFSET = 8;
  private static final int VIRTIO_SIZE = 12;
  private static final int VIRTIO_LEAST = 16;
  private static final int VIRTIO_MULTIPLIER = 16;
  private static final int VIRTIO_NOTIFY_LENGTH = 20;
  private static final int VIRTIO_NOTIFY = 2;

  private VendorSpecific() {}

  static Decoded decode(ConfigBytes config, int at) {
    int length = config.byteAt(at + ConfigLayout.VendorSpecific.CAPABILITY_LENGTH);
    if (isVirtio(config) && length >= VIRTIO_LEAST && config.has(at, length)) {
      return virtio(config, at, length);
    }
    return new Decoded(
        NAME,
        new Register.Writer(NAME, NAME + ": Len=", 0)
            .value("length", length, "%02x".formatted(length))
            .say(" <?>")
            .end());
  }

  private static boolean isVirtio(ConfigBytes config) {
    int device = config.wordAt(Header.DEVICE_ID);
    return config.wordAt(Header.VENDOR_ID) == VIRTIO_VENDOR
        && device >= VIRTIO_FIRST_DEVICE
        && device <= VIRTIO_LAST_DEVICE;
  }

  private static Decoded virtio(ConfigBytes config, int at, int length) {
    int type = config.byteAt(at + VIRTIO_TYPE);
    String structure =
        switch (type) {
          case 1 -> "CommonCfg";
          case VIRTIO_NOTIFY -> "Notify";
          case 3 -> "ISR";
          case 4 -> "DeviceCfg";
          default -> "<unknown>";
        };
    Register title =
        new Register.Writer(NAME, NAME + ": VirtIO: ", 0)
            .value("length", length, "")
            .value("VirtIO", structure)
            .end();
    Register.Writer place =
        new Register.Writer("Structure", "BAR=", 0)
            .value("BAR", config.byteAt(at + VIRTIO_BAR))
            .say(" offset=")
            .value("offset", "%08x".formatted(config.longAt(at + VIRTIO_OFFSET)))
            .say(" size=")
            .value("size", "%08x".formatted(config.longAt(at + VIRTIO_SIZE)));
    if (type == VIRTIO_NOTIFY && length >= VIRTIO_NOTIFY_LENGTH) {
      place
          .say(" multiplier=")
          .value("multiplier", "%08x".formatted(config.longAt(at + VIRTIO_MULTIPLIER)));
    }
    return new Decoded(NAME, title, List.of(place.end()));
  }

  static Decoded decodeExtended(ConfigBytes config, int at) {
    if (!config.has(
        at + ConfigLayout.VendorSpecificExtended.VENDOR_HEADER,
        ConfigLayout.VendorSpecificExtended.VENDOR_HEADER)) {
      return Decoded.named(NAME + ": <unreadable>");
    }
    int header = config.longAt(at + ConfigLayout.VendorSpecificExtended.VENDOR_HEADER);
    int length = header >>> 20;
    return new Decoded(
        NAME,
        new Register.Writer(NAME, NAME + ": ID=", 0)
            .value("id", "%04x".formatted(header & 0xffff))
            .say(" Rev=")
            .value("revision", header >>> 16 & 0xf)
            .say(" Len=")
            .value("length", length, "%03x".formatted(length))
            .say(" <?>")
            .end());
  }
}
