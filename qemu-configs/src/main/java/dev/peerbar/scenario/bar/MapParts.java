package dev.peerbar.scenario.bar;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.AddressSpace;
import dev.peerbar.lab.guest.GuestFaultException.Signal;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.MapFlag;
import dev.peerbar.lab.guest.GuestSystem.Protection;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.Faults;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Refusals;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** What part of a BAR mmap takes, and what it refuses. */
final class MapParts {
  private static final long PAGE = 4096;
  private static final long MIDDLE = HbmPair.BAR_SIZE / 2 + 5 * PAGE;
  private static final Set<MapFlag> SHARED = EnumSet.of(MapFlag.SHARED);

  private MapParts() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
            HbmPair.KIND,
            "bar.map-partial",
            "map one page in the middle of A's memory BAR, and the last",
            "each is that page of A's memory, and nothing behind it is mapped",
            MapParts::partial),
        Case.on(
            HbmPair.KIND,
            "bar.map-rounded",
            "map a length of A's memory BAR that is not one of pages",
            "all of the last page can be used",
            MapParts::rounded),
        Case.on(
            HbmPair.KIND,
            "bar.map-refused",
            "map what is not of whole pages, beyond a BAR, private or not there",
            "EINVAL each time, and nothing is mapped",
            MapParts::refused));
  }

  private static String partial(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    for (long offset : List.of(MIDDLE, HbmPair.BAR_SIZE - PAGE)) {
      try (GuestMemory page =
          pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR, offset, PAGE)) {
        page.fillPattern(0, PAGE, ++seed);
        long mismatch = Pattern.mismatch(pair.memoryOfA().asSlice(offset, PAGE), seed);
        unless(
            mismatch == PAGE,
            "the host sees other bytes at 0x%x than the guest stored",
            offset + mismatch);
        long behind = page.address() + PAGE;
        unless(
            pair.guest().system().agent().pageSize() == PAGE
                && new AddressSpace(pair.guest())
                    .areaAt(page.address())
                    .filter(area -> area.end() == behind)
                    .isPresent(),
            "more is mapped than a page at 0x%x",
            page.address());
      }
    }
    return "the pages at 0x%x and 0x%x".formatted(MIDDLE, HbmPair.BAR_SIZE - PAGE);
  }

  private static String rounded(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    GuestSystem system = pair.guest().system();
    long start = vfio.region(VfioPciRegion.BAR2).offset();
    // The last page of the BAR: what is mapped ends where the BAR does.
    long offset = HbmPair.BAR_SIZE - 2 * PAGE;
    long address = system.mmap(PAGE + 1, Protection.READ_WRITE, SHARED, vfio.fd(), start + offset);
    try (GuestMemory mapped = new GuestMemory(system, address, 2 * PAGE)) {
      mapped.fillPattern(0, 2 * PAGE, pair.run().seed());
      long mismatch =
          Pattern.mismatch(pair.memoryOfA().asSlice(offset, 2 * PAGE), pair.run().seed());
      unless(mismatch == 2 * PAGE, "the host sees other bytes at 0x%x", offset + mismatch);
    }
    Faults.expect(
        Signal.SIGSEGV,
        address + PAGE,
        "a load from what was unmapped",
        () -> system.agent().load(address + PAGE, AccessWidth.BYTE.bytes()));
    return "4097 bytes are two pages";
  }

  private static String refused(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    long bar = HbmPair.BAR_SIZE;
    long bar2 = vfio.region(VfioPciRegion.BAR2).offset();
    long before = areas(pair);
    Refusals refusals = new Refusals();
    refusals
        .refuse(Errno.EINVAL, "an offset of half a page", mapping(pair, SHARED, bar2 + 2048, PAGE))
        .refuse(Errno.EINVAL, "a page behind the end", mapping(pair, SHARED, bar2 + bar, PAGE))
        .refuse(
            Errno.EINVAL,
            "the last page and one more",
            mapping(pair, SHARED, bar2 + bar - PAGE, 2 * PAGE))
        .refuse(Errno.EINVAL, "a page too much", mapping(pair, SHARED, bar2, bar + PAGE))
        .refuse(Errno.EINVAL, "no length", mapping(pair, SHARED, bar2, 0))
        .refuse(
            Errno.EINVAL,
            "a private mapping",
            mapping(pair, EnumSet.of(MapFlag.PRIVATE), bar2, PAGE));
    for (VfioPciRegion region :
        List.of(
            VfioPciRegion.BAR1,
            VfioPciRegion.BAR3,
            VfioPciRegion.BAR5,
            VfioPciRegion.ROM,
            VfioPciRegion.CONFIG)) {
      long offset = vfio.region(region).offset();
      refusals.refuse(Errno.EINVAL, region.name(), mapping(pair, SHARED, offset, PAGE));
    }
    // Every region's offset is its index times that of the first.
    long first = vfio.region(VfioPciRegion.BAR1).offset();
    long unknown = first * VfioPciRegion.values().length;
    refusals.refuse(Errno.EINVAL, "a region too many", mapping(pair, SHARED, unknown, PAGE));
    unless(areas(pair) == before, "%d areas are mapped, %d before", areas(pair), before);
    return refusals.seen();
  }

  private static Refusals.Call mapping(HbmPair pair, Set<MapFlag> flags, long offset, long length) {
    GuestSystem system = pair.guest().system();
    int fd = pair.deviceA().vfio().fd();
    return () -> system.mmap(length, Protection.READ_WRITE, flags, fd, offset);
  }

  private static long areas(HbmPair pair) throws IOException {
    String name = "/dev/vfio/";
    return new AddressSpace(pair.guest())
        .areas().stream().filter(area -> area.name().contains(name)).count();
  }
}
