package dev.peerbar.scenario.iommufd;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.Hwpt;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.Iommufd;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Requirement;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.AmdIommu;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Refusals;
import java.io.IOException;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;

/** Hardware page tables that user space allocates, with an import in them. */
final class PageTables {
  private static final long PAGE = 4096;
  private static final long LENGTH = 1L << 20;
  private static final long PLACE = 1L << 36;
  private static final int FIRST_SLOT = 1;

  private static final Requirement DIRTY_TRACKING = PageTables::missingDirtyTracking;

  private PageTables() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmPair.KIND,
                "iommufd.hwpt",
                "attach B to a page table of its own (IOMMU_HWPT_ALLOC) of an IOAS with an import",
                "B reaches what was imported before and after; in use it cannot be destroyed",
                PageTables::attach)
            .needing(GuestFeature.DMABUF_IMPORT, AmdIommu.LATE_ATTACHMENT),
        Case.on(
                HbmPair.KIND,
                "iommufd.no-dirty-tracking",
                "ask for a page table with dirty tracking of an IOMMU that has none",
                "EOPNOTSUPP, and so it is to track in one without",
                PageTables::refuseTracking)
            .needing(GuestFeature.IOMMUFD)
            .needing(lab ->
                missingDirtyTracking(lab).isPresent()
                    ? Optional.empty()
                    : Optional.of("the guest's IOMMU tracks what devices write")),
        Case.on(
                HbmPair.KIND,
                "iommufd.dirty-tracking",
                "track what B writes to A's memory and to the guest's",
                "the pages that it wrote are dirty, once, and no others",
                PageTables::track)
            .needing(GuestFeature.DMABUF_IMPORT, AmdIommu.LATE_ATTACHMENT, DIRTY_TRACKING));
  }

  private static Optional<String> missingDirtyTracking(Lab lab) throws IOException {
    try (Iommufd iommufd = Iommufd.open(lab.guest());
        VfioDevice device =
            VfioDevice.open(lab.guest().pciInSlot(FIRST_SLOT).bindVfio(), iommufd)) {
      return Hwpt.canTrack(iommufd, device)
          ? Optional.empty()
          : Optional.of("the guest's IOMMU does not track what devices write");
    }
  }

  private static String attach(HbmPair pair) throws Exception {
    VfioDevice b = pair.deviceB().vfio();
    DmaRange memory = pair.allocate(LENGTH, 0);
    try (OtherIoas other = OtherIoas.of(pair, memory);
        DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH)) {
      Ioas ioas = other.ioas();
      other.keep(ioas.mapFileAt(dmaBuf, PLACE));
      Hwpt table = Hwpt.of(ioas, b);
      try {
        b.attach(table);
        Reach.check(pair, PLACE, 0, memory);
        other.keep(ioas.mapFileAt(dmaBuf, 2 * PLACE));
        Reach.check(pair, 2 * PLACE, 0, memory);
        new Refusals()
            .refuse(Errno.EBUSY, "to destroy it in use", table::close)
            .refuse(Errno.EBUSY, "to destroy its IOAS", ioas::close)
            .seen();
        Reach.check(pair, PLACE, 0, memory);
      } finally {
        b.attach(pair.ioas());
        table.close();
      }
      Reach.expectFault(pair, PLACE);
    }
    return "at IOVA 0x%x and 0x%x".formatted(PLACE, 2 * PLACE);
  }

  private static String refuseTracking(HbmPair pair) throws Exception {
    VfioDevice b = pair.deviceB().vfio();
    Refusals refusals = new Refusals();
    refusals.refuse(
        Errno.EOPNOTSUPP, "a table that tracks", () -> Hwpt.tracking(pair.ioas(), b).close());
    try (Hwpt table = Hwpt.of(pair.ioas(), b)) {
      refusals
          .refuse(Errno.EOPNOTSUPP, "to track", () -> table.track(true))
          .refuse(Errno.EOPNOTSUPP, "what was written", () -> table.written(PLACE, PAGE));
    }
    return refusals.seen();
  }

  private static String track(HbmPair pair) throws Exception {
    VfioDevice b = pair.deviceB().vfio();
    DmaRange memory = pair.allocate(LENGTH, LENGTH);
    try (OtherIoas other = OtherIoas.of(pair, memory);
        DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH)) {
      other.keep(other.ioas().mapFileAt(dmaBuf, PLACE));
      Hwpt table = Hwpt.tracking(other.ioas(), b);
      try {
        b.attach(table);
        table.track(true);
        for (long iova : List.of(PLACE, memory.iova())) {
          pair.initiator().run(Descriptor.fill(-1, 2 * PAGE).to(iova + 3 * PAGE));
          BitSet expected = new BitSet();
          expected.set(3, 5);
          BitSet written = table.written(iova, LENGTH);
          unless(written.equals(expected), "dirty at IOVA 0x%x: %s", iova, written);
          written = table.written(iova, LENGTH);
          unless(written.isEmpty(), "dirty once more: %s", written);
        }
        table.track(false);
      } finally {
        b.attach(pair.ioas());
        table.close();
      }
    }
    return "2 pages of A's memory and 2 of the guest's";
  }
}
