package dev.peerbar.probe;

import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DeviceGetRegionIoFds;
import dev.peerbar.protocol.RegionCapability.SparseMmap.Area;
import dev.peerbar.protocol.Version;
import java.util.List;
import java.util.Optional;

/**
 * All that a server answered.
 *
 * @param version what was agreed on
 * @param resettable whether the device takes DEVICE_RESET
 * @param regionCount how many regions the server says there are, 32 bits unsigned
 * @param irqCount how many interrupt types the server says there are, 32 bits unsigned
 * @param regions those of some size, but for config space
 * @param config config space, from its beginning
 * @param irqs the interrupt types, those without interrupts too
 * @param features empty if the server ended the connection before all was asked
 * @param warnings what could not be asked, in sentences
 */
record Snapshot(
    Version.Reply version,
    boolean resettable,
    long regionCount,
    long irqCount,
    List<Region> regions,
    ConfigBytes config,
    List<Irq> irqs,
    Optional<Features> features,
    List<String> warnings) {

  Snapshot {
    regions = List.copyOf(regions);
    irqs = List.copyOf(irqs);
    warnings = List.copyOf(warnings);
  }

  Capabilities capabilities() {
    return version.capabilities();
  }

  Optional<Region> region(int index) {
    return regions.stream().filter(region -> region.index() == index).findFirst();
  }

  /** How a client can reach the bytes of a region without a message. */
  enum Mapping {
    /** Not at all: each access is a message. */
    TRAPPED,
    /** Some areas of it by mmap. */
    SPARSE,
    /** All of it by mmap. */
    WHOLE
  }

  /**
   * A region.
   *
   * @param index as in {@link dev.peerbar.protocol.PciRegion}, or more
   * @param flags as in {@link DeviceGetRegionInfo}
   * @param size in bytes, unsigned
   * @param descriptor whether a descriptor to map came along
   * @param areas what can be mapped, if it is not all or nothing
   * @param ioFds by which a kernel can tell the server of accesses
   */
  record Region(
      int index,
      int flags,
      long size,
      boolean descriptor,
      Optional<List<Area>> areas,
      List<DeviceGetRegionIoFds.SubRegion> ioFds) {

    Region {
      areas = areas.map(List::copyOf);
      ioFds = List.copyOf(ioFds);
    }

    boolean readable() {
      return (flags & DeviceGetRegionInfo.READ) != 0;
    }

    boolean writable() {
      return (flags & DeviceGetRegionInfo.WRITE) != 0;
    }

    /** What is promised without a descriptor cannot be done. */
    Mapping mapping() {
      if ((flags & DeviceGetRegionInfo.MMAP) == 0 || !descriptor) {
        return Mapping.TRAPPED;
      }
      return areas
          .map(some -> some.isEmpty() ? Mapping.TRAPPED : Mapping.SPARSE)
          .orElse(Mapping.WHOLE);
    }

    Region withIoFds(List<DeviceGetRegionIoFds.SubRegion> offered) {
      return new Region(index, flags, size, descriptor, areas, offered);
    }
  }

  /**
   * An interrupt type.
   *
   * @param index as in {@link dev.peerbar.protocol.PciIrq}, or more
   * @param flags as in {@link DeviceGetIrqInfo}
   * @param count how many interrupts, 32 bits unsigned
   */
  record Irq(int index, int flags, long count) {
    boolean has(int flag) {
      return (flags & flag) != 0;
    }
  }

  /**
   * What DEVICE_FEATURE probes were answered.
   *
   * @param migration whether the device's state can be moved
   * @param migrationFlags as in {@link dev.peerbar.protocol.MigrationFeature}; zero if not told
   * @param dmaLogging whether the device can log its writes to memory
   */
  record Features(boolean migration, long migrationFlags, boolean dmaLogging) {}
}
