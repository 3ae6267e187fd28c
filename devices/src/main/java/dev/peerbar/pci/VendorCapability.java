package dev.peerbar.pci;

import dev.peerbar.pci.ConfigLayout.VendorSpecific;
import dev.peerbar.pci.ConfigLayout.VendorSpecificExtended;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A vendor-specific capability: of the standard list (PCIe 6.0 7.9.4) or of the extended one (PCIe
 * 6.0 7.9.5). What says that it is one, and its length, is read-only and the builder's to declare;
 * the registers behind that are the author's.
 *
 * @param place where it begins, in bytes, a multiple of 4; empty if the builder may choose
 * @param length in bytes, the header included
 * @param extended what it says of itself if it is of the extended list
 * @param registers at offsets from the start of the capability
 */
public record VendorCapability(
    OptionalInt place, int length, Optional<Extended> extended, List<ConfigRegister> registers) {
  private static final int LONGEST_STANDARD = 0xff;
  private static final int LONGEST_EXTENDED = 0xfff;

  /**
   * The second header of an extended one.
   *
   * @param id the vendor's, 16 bits
   * @param revision 4 bits
   */
  public record Extended(int id, int revision) {
    public Extended {
      if (id < 0 || id > 0xffff || revision < 0 || revision > 0xf) {
        throw new IllegalArgumentException(
            "A vendor-specific extended capability has 16 bits of ID and 4 of revision, not 0x%x and %d."
                .formatted(id, revision));
      }
    }
  }

  public VendorCapability {
    registers = List.copyOf(registers);
    int header = headerLength(extended);
    int longest = extended.isPresent() ? LONGEST_EXTENDED : LONGEST_STANDARD;
    if (length < header || length > longest) {
      throw new IllegalArgumentException(
          "This vendor-specific capability has %d to %d bytes, not %d."
              .formatted(header, longest, length));
    }
    if (place.isPresent() && place.getAsInt() % CapabilityChains.ALIGNMENT != 0) {
      throw new IllegalArgumentException(
          "A capability begins at a multiple of 4, not at 0x%x.".formatted(place.getAsInt()));
    }
    ConfigRoom room = new ConfigRoom(header, length);
    for (ConfigRegister register : registers) {
      if (!room.take(register.offset(), register.bytes())) {
        throw new IllegalArgumentException(
            "The register at 0x%x of a vendor-specific capability is not within its bytes 0x%x to 0x%x, or on another one."
                .formatted(register.offset(), header, length - 1));
      }
    }
  }

  /**
   * One of the standard list.
   *
   * @param length 3 to 255, of which the first 3 bytes are ID, pointer and length
   */
  public static VendorCapability standard(int length, ConfigRegister... registers) {
    return new VendorCapability(OptionalInt.empty(), length, Optional.empty(), List.of(registers));
  }

  /**
   * One of the extended list.
   *
   * @param id the vendor's, 16 bits
   * @param revision 4 bits
   * @param length 8 to 4095, of which the first 8 bytes are the two headers
   */
  public static VendorCapability extended(
      int id, int revision, int length, ConfigRegister... registers) {
    return new VendorCapability(
        OptionalInt.empty(), length, Optional.of(new Extended(id, revision)), List.of(registers));
  }

  /**
   * The same at a place of the author's choice.
   *
   * @param offset in config space, in bytes, a multiple of 4
   */
  public VendorCapability at(int offset) {
    return new VendorCapability(OptionalInt.of(offset), length, extended, registers);
  }

  /** Declares it; returns where it is. */
  int declare(ConfigSpace space, CapabilityChains chains) {
    if (extended.isPresent()) {
      int version = VendorSpecificExtended.VERSION;
      int at =
          place.isPresent()
              ? chains.linkExtended(VendorSpecificExtended.ID, version, place.getAsInt())
              : chains.addExtended(VendorSpecificExtended.ID, version, length);
      space.declare(
          at + VendorSpecificExtended.VENDOR_HEADER,
          4,
          extended.get().id()
              | extended.get().revision() << VendorSpecificExtended.VENDOR_REVISION_SHIFT
              | (long) length << VendorSpecificExtended.VENDOR_LENGTH_SHIFT);
      return at;
    }
    int at =
        place.isPresent()
            ? chains.linkStandard(VendorSpecific.ID, place.getAsInt())
            : chains.addVendor(VendorSpecific.ID, length);
    space.declare(at + VendorSpecific.CAPABILITY_LENGTH, 1, length);
    return at;
  }

  private static int headerLength(Optional<Extended> extended) {
    return extended.isPresent() ? VendorSpecificExtended.DATA : VendorSpecific.DATA;
  }
}
