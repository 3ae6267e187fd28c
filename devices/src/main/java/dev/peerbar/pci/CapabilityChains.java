package dev.peerbar.pci;

import dev.peerbar.pci.ConfigLayout.Capability;
import dev.peerbar.pci.ConfigLayout.ExtendedCapability;
import dev.peerbar.pci.ConfigLayout.Header;
import java.util.List;
import java.util.OptionalInt;
import java.util.TreeMap;

/**
 * Hands out the places of capabilities and links them: the standard list from the Capabilities
 * Pointer (PCIe 6.0 7.5.1.1.11) in the order of the calls, the extended list from 0x100 (PCIe 6.0
 * 7.6.1) by offset. What has a place of its own is taken first, and the others laid around it.
 */
final class CapabilityChains {
  /** Of capabilities that are not an author's, as long as there is room for that. */
  private static final int WIDE_ALIGNMENT = 0x10;

  /** Of every capability: the low two bits of a pointer are reserved. */
  static final int ALIGNMENT = 4;

  /** A capability that is there for its pointer alone (PCIe 6.0 7.9.28). */
  private static final int NULL_ID = 0;

  private final ConfigSpace space;
  private final ConfigRoom standard = new ConfigRoom(Header.LENGTH, ExtendedCapability.START);
  private final ConfigRoom extended =
      new ConfigRoom(ExtendedCapability.START, PciFunction.CONFIG_SPACE_SIZE);
  private int alignment = WIDE_ALIGNMENT;
  private int standardPointer = Header.CAPABILITIES_POINTER;

  /** The first 4 bytes of each extended capability, but for the pointer, by offset. */
  private final TreeMap<Integer, Integer> extendedHeaders = new TreeMap<>();

  CapabilityChains(ConfigSpace space) {
    this.space = space;
  }

  /**
   * Keeps a place that its author picked.
   *
   * @throws IllegalArgumentException if it is not free, or the header's, or across 0x100
   */
  void keep(int at, int length, String what) {
    ConfigRoom room = extended.contains(at) ? extended : standard;
    if (!room.take(at, length)) {
      throw new IllegalArgumentException(
          "%s, %d bytes at 0x%x of config space, has no free place there: its bytes are all in 0x40 to 0xff or all in 0x100 to 0xfff, and nobody else's."
              .formatted(what, length, at));
    }
  }

  /**
   * Chooses how closely standard capabilities are packed. To be called when all places of an
   * author's own are kept, and before the first {@link #addStandard}.
   *
   * @param own lengths of those that are aligned widely if there is room
   * @param vendor lengths of the others
   */
  void plan(List<Integer> own, List<Integer> vendor) {
    ConfigRoom trial = standard.copy();
    boolean wide =
        own.stream().allMatch(length -> trial.takeFirst(length, WIDE_ALIGNMENT).isPresent())
            && vendor.stream().allMatch(length -> trial.takeFirst(length, ALIGNMENT).isPresent());
    alignment = wide ? WIDE_ALIGNMENT : ALIGNMENT;
  }

  /** Links a capability at the end of the standard list; returns its offset. */
  int addStandard(int id, int length) {
    return linkStandard(id, placed(standard, length, alignment));
  }

  /** As {@link #addStandard}, for one of the author's. */
  int addVendor(int id, int length) {
    return linkStandard(id, placed(standard, length, ALIGNMENT));
  }

  /** Links a capability whose place was kept at the end of the standard list. */
  int linkStandard(int id, int at) {
    space.declare(standardPointer, 1, at);
    space.declare(at + Capability.ID, 1, id);
    standardPointer = at + Capability.NEXT;
    return at;
  }

  /** Takes a place for a capability of the extended list; returns its offset. */
  int addExtended(int id, int version, int length) {
    return linkExtended(id, version, placed(extended, length, ALIGNMENT));
  }

  /** A capability of the extended list whose place was kept. */
  int linkExtended(int id, int version, int at) {
    extendedHeaders.put(at, id | version << ExtendedCapability.VERSION_SHIFT);
    return at;
  }

  private static int placed(ConfigRoom room, int length, int alignment) {
    OptionalInt at = room.takeFirst(length, alignment);
    if (at.isEmpty()) {
      throw new IllegalArgumentException(
          room.contains(Header.LENGTH)
              ? "The standard capabilities do not fit below 0x100."
              : "The extended capabilities do not fit below 0x1000.");
    }
    return at.getAsInt();
  }

  /** Links the extended list, to which nothing is added any more. */
  void end() {
    if (!extendedHeaders.isEmpty() && extendedHeaders.firstKey() != ExtendedCapability.START) {
      keep(ExtendedCapability.START, Integer.BYTES, "The begin of the extended list");
      extendedHeaders.put(ExtendedCapability.START, NULL_ID);
    }
    extendedHeaders.forEach((at, header) -> {
      Integer next = extendedHeaders.higherKey(at);
      int pointer = next == null ? 0 : next << ExtendedCapability.NEXT_SHIFT;
      space.declare(at, 4, header | pointer);
    });
  }
}
