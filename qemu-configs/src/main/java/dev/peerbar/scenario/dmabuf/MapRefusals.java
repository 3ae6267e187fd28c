package dev.peerbar.scenario.dmabuf;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestFaultException.Signal;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.MapFlag;
import dev.peerbar.lab.guest.GuestSystem.Protection;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf.VfioRegionDmaRange;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.BothEnds;
import dev.peerbar.scenario.fixture.Faults;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Refusals;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** How a DMABUF cannot be mapped. */
final class MapRefusals {
  private static final long PAGE = Mapped.PAGE;
  private static final Set<MapFlag> SHARED = EnumSet.of(MapFlag.SHARED);
  private static final Set<MapFlag> PRIVATE = EnumSet.of(MapFlag.PRIVATE);
  private static final int O_CLOEXEC_RDONLY = 02000000;

  private MapRefusals() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmPair.KIND,
                "dmabuf.map.none",
                "map a DMABUF where the kernel has no way to",
                "EINVAL, shared or private, and A's memory is as it was",
                MapRefusals::none)
            .needing(MapFeature.NO_MAPPING),
        Case.on(
                HbmPair.KIND,
                "dmabuf.map.refusals",
                "map a DMABUF privately, beyond its end, at half a page, and nothing of it",
                "EINVAL, and the DMABUF can be mapped as ever",
                MapRefusals::refusals)
            .needing(MapFeature.MAPPING),
        Case.on(
                HbmPair.KIND,
                "dmabuf.map.read-only",
                "map a DMABUF whose descriptor is for reading",
                "EACCES for a mapping to store to; one for loads is EINVAL, as of a BAR, or cannot be"
                    + " stored to",
                MapRefusals::readOnly)
            .needing(MapFeature.MAPPING));
  }

  private static String none(HbmPair pair) throws Exception {
    GuestSystem system = pair.guest().system();
    long seed = pair.run().seed();
    Pattern.fill(pair.memoryOfA().asSlice(Mapped.OFFSET, Mapped.LENGTH), seed);
    try (DmaBuf dmaBuf = Mapped.export(pair, Mapped.OFFSET, Mapped.LENGTH)) {
      Refusals refusals = new Refusals();
      for (Protection protection : Protection.values()) {
        for (Set<MapFlag> flags : List.of(SHARED, PRIVATE)) {
          refusals.refuse(
              Errno.EINVAL,
              "%s, %s".formatted(flags, protection),
              () -> system.mmap(Mapped.LENGTH, protection, flags, dmaBuf.fd(), 0));
        }
      }
      String seen = refusals.seen();
      long mismatch =
          Pattern.mismatch(pair.memoryOfA().asSlice(Mapped.OFFSET, Mapped.LENGTH), seed);
      unless(mismatch == Mapped.LENGTH, "A's memory changed at 0x%x", mismatch);
      return seen;
    }
  }

  private static String refusals(HbmPair pair) throws Exception {
    GuestSystem system = pair.guest().system();
    try (Mapped mapped = Mapped.of(pair)) {
      int fd = mapped.dmaBuf().fd();
      long length = Mapped.LENGTH;
      String seen =
          new Refusals()
              .refuse(
                  Errno.EINVAL,
                  "private",
                  () -> system.mmap(length, Protection.READ_WRITE, PRIVATE, fd, 0))
              .refuse(
                  Errno.EINVAL,
                  "private, for reading",
                  () -> system.mmap(length, Protection.READ, PRIVATE, fd, 0))
              .refuse(Errno.EINVAL, "a page too long", () -> mapped.dmaBuf().map(0, length + PAGE))
              .refuse(Errno.EINVAL, "a page too far", () -> mapped.dmaBuf().map(PAGE, length))
              .refuse(Errno.EINVAL, "behind its end", () -> mapped.dmaBuf().map(length, PAGE))
              .refuse(Errno.EINVAL, "far behind", () -> mapped.dmaBuf().map(1L << 40, PAGE))
              .refuse(Errno.EINVAL, "at half a page", () -> mapped.dmaBuf().map(PAGE / 2, PAGE))
              .refuse(Errno.EINVAL, "nothing of it", () -> mapped.dmaBuf().map(0, 0))
              .seen();
      mapped.checkLoads(pair.run().seed());
      return seen;
    }
  }

  private static String readOnly(HbmPair pair) throws Exception {
    GuestSystem system = pair.guest().system();
    long seed = pair.run().seed();
    try (DmaBuf dmaBuf =
        pair.deviceA()
            .vfio()
            .exportDmabuf(
                VfioPciRegion.BAR2,
                O_CLOEXEC_RDONLY,
                List.of(new VfioRegionDmaRange(Mapped.OFFSET, Mapped.LENGTH)))) {
      Refusals.refused(Errno.EACCES, "to map it for stores", dmaBuf::map);
      long address;
      try {
        address = system.mmap(Mapped.LENGTH, Protection.READ, SHARED, dmaBuf.fd(), 0);
      } catch (GuestErrnoException e) {
        // To the kernel a mapping that nobody can ever store to is not shared.
        unless(e.is(Errno.EINVAL), "for loads: %s", e.getMessage());
        return "EACCES for stores, EINVAL for loads";
      }
      try (GuestMemory memory = new GuestMemory(system, address, Mapped.LENGTH)) {
        var host = pair.memoryOfA().asSlice(Mapped.OFFSET, Mapped.LENGTH);
        for (long round = 1; round <= 2; round++) {
          Faults.expect(Signal.SIGSEGV, address, "a store", () -> memory.storeLong(0, -1));
          BothEnds.checkLoads(memory, host, seed + round);
        }
      }
    }
    return "EACCES for stores, SIGSEGV for one all the same";
  }
}
