package dev.peerbar.scenario.iommufd;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.DmaBufObject;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.Iommufd;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.AmdIommu;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.MemoryDecoding;
import dev.peerbar.scenario.fixture.Refusals;
import java.io.IOException;
import java.util.List;

/** In which order an import, its DMABUF, its IOAS and its exporter may go. */
final class Lifetimes {
  private static final long LENGTH = 1L << 20;
  private static final long PLACE = 1L << 36;

  private Lifetimes() {}

  static List<Scenario<?>> all() {
    return List.of(
        of(
            "close-dmabuf-first",
            "close a DMABUF while it is imported, then unmap it",
            "B reaches A's memory until the unmap; then the kernel has the DMABUF no longer",
            Lifetimes::closeDmabufFirst),
        of(
                "destroy-ioas",
                "destroy an IOAS with an import: while B is attached, then detached",
                "EBUSY while B is attached and it works on; then import and DMABUF have gone",
                Lifetimes::destroyIoas)
            .needing(AmdIommu.LATE_ATTACHMENT),
        of(
            "close-iommufd",
            "close an iommufd with imports in two IOASes",
            "the kernel has the DMABUFs no longer, and A can be exported again",
            Lifetimes::closeIommufd),
        of(
            "close-exporter",
            "close A while B reaches its memory, then open it again",
            "B faults at the import for good, which is unmapped whole; a new one works",
            Lifetimes::closeExporter),
        of(
            "revoked-stays",
            "clear Memory Space Enable of A while it is imported, and set it again",
            "B faults at the import from then on; unmapped and imported again it works",
            Lifetimes::revokedStays),
        of(
                "detach",
                "detach A and B from the IOAS of an import, attach them again",
                "B faults elsewhere, and reaches A's memory afterwards",
                Lifetimes::detach)
            .needing(AmdIommu.LATE_ATTACHMENT),
        of(
            "attach-beside-group",
            "attach B to another IOAS than A, after it was detached",
            "EINVAL if they are in one group of the IOMMU, else it is done",
            Lifetimes::attachBesideGroup),
        of(
                "attach-revoked",
                "attach B to an IOAS whose import was revoked before",
                "it can be attached, and faults there",
                Lifetimes::attachRevoked)
            .needing(AmdIommu.LATE_ATTACHMENT));
  }

  private static Case<HbmPair> of(
      String name, String does, String expects, Case.Body<HbmPair> body) {
    return Case.on(HbmPair.KIND, "iommufd." + name, does, expects, body)
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  private static long exported(HbmPair pair) throws IOException {
    return pair.guest().system().dmaBufs().stream()
        .map(DmaBufObject::exporter)
        .filter("vfio_pci_core"::equals)
        .count();
  }

  private static void expectExported(HbmPair pair, long count) throws Exception {
    long now = exported(pair);
    unless(now == count, "the kernel has %d DMABUFs of vfio-pci, not %d", now, count);
  }

  private static String closeDmabufFirst(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    long before = exported(pair);
    Ioas.Mapping mapping;
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH)) {
      mapping = pair.ioas().mapFile(dmaBuf);
    }
    try {
      expectExported(pair, before + 1);
      Reach.check(pair, mapping.iova(), 0, memory);
    } finally {
      pair.ioas().unmap(mapping);
    }
    Reach.expectFault(pair, mapping.iova());
    expectExported(pair, before);
    return "%d KiB without a descriptor".formatted(LENGTH >> 10);
  }

  private static String destroyIoas(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    long before = exported(pair);
    OtherIoas other = OtherIoas.of(pair, memory);
    try {
      try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH)) {
        other.ioas().mapFileAt(dmaBuf, PLACE);
      }
      other.attach();
      Refusals.refused(Errno.EBUSY, "to destroy it", () -> other.ioas().close());
      Reach.check(pair, PLACE, 0, memory);
      other.back();
      expectExported(pair, before + 1);
    } finally {
      other.back();
      other.ioas().close();
    }
    expectExported(pair, before);
    Refusals.refused(Errno.ENOENT, "to destroy it again", () -> other.ioas().close());
    Reach.expectFault(pair, PLACE);
    return "EBUSY with B attached, gone with its import after that";
  }

  private static String closeIommufd(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    DmaRange memory = pair.allocate(LENGTH, 0);
    long before = exported(pair);
    try (Iommufd iommufd = Iommufd.open(pair.guest())) {
      for (int i = 0; i < 2; i++) {
        Ioas ioas = iommufd.allocIoas();
        try (DmaBuf dmaBuf = vfio.exportDmabuf(2, 0, LENGTH)) {
          ioas.mapFile(dmaBuf);
          ioas.mapFile(dmaBuf);
        }
      }
      expectExported(pair, before + 2);
    }
    expectExported(pair, before);
    try (Import peer = pair.importOfA(LENGTH)) {
      Reach.check(pair, peer.iova(), 0, memory);
    }
    return "4 imports of 2 DMABUFs";
  }

  private static String closeExporter(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    VfioDevice again;
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH)) {
      Ioas.Mapping mapping = pair.ioas().mapFileAt(dmaBuf, PLACE);
      try {
        Reach.check(pair, PLACE, 0, memory);
        pair.deviceA().close();
        Reach.expectFault(pair, PLACE);
        again = pair.open(pair.deviceA().vfio().pci()).vfio();
        Reach.expectFault(pair, PLACE);
      } finally {
        long unmapped = pair.ioas().unmap(mapping);
        unless(unmapped == LENGTH, "0x%x bytes were unmapped", unmapped);
      }
      Refusals.refused(Errno.ENODEV, "an import of it", () -> pair.ioas().mapFile(dmaBuf));
    }
    try (Import peer = Import.of(pair.ioas(), again, 2, 0, LENGTH)) {
      Reach.check(pair, peer.iova(), 0, memory);
      return "a fault at IOVA 0x%x, A again at 0x%x".formatted(PLACE, peer.iova());
    }
  }

  private static String revokedStays(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    DmaRange memory = pair.allocate(LENGTH, 0);
    try (DmaBuf dmaBuf = vfio.exportDmabuf(2, 0, LENGTH)) {
      Ioas.Mapping mapping = pair.ioas().mapFileAt(dmaBuf, PLACE);
      try {
        Reach.check(pair, PLACE, 0, memory);
        try (MemoryDecoding _ = MemoryDecoding.off(vfio)) {
          Reach.expectFault(pair, PLACE);
        }
        Reach.expectFault(pair, PLACE);
      } finally {
        pair.ioas().unmap(mapping);
      }
      Ioas.Mapping again = pair.ioas().mapFileAt(dmaBuf, PLACE);
      try {
        Reach.check(pair, PLACE, 0, memory);
      } finally {
        pair.ioas().unmap(again);
      }
    }
    return "faults with decoding off and on, then a new import of the same DMABUF";
  }

  private static String detach(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    VfioDevice a = pair.deviceA().vfio();
    VfioDevice b = pair.deviceB().vfio();
    try (Import peer = pair.importOfA(LENGTH);
        OtherIoas other = OtherIoas.of(pair, memory)) {
      Reach.check(pair, peer.iova(), 0, memory);
      b.detach();
      // A function whose group is attached elsewhere has to go where that is.
      a.detach();
      other.attach();
      Reach.expectFault(pair, peer.iova());
      b.detach();
      a.attach(pair.ioas());
      other.back();
      Reach.check(pair, peer.iova(), 0, memory);
      return "at IOVA 0x%x before and after".formatted(peer.iova());
    }
  }

  private static String attachBesideGroup(HbmPair pair) throws Exception {
    VfioDevice a = pair.deviceA().vfio();
    VfioDevice b = pair.deviceB().vfio();
    boolean together = group(a).equals(group(b));
    try (OtherIoas other = OtherIoas.of(pair)) {
      b.detach();
      try {
        if (together) {
          Refusals.refused(Errno.EINVAL, "to attach B elsewhere", () -> b.attach(other.ioas()));
        } else {
          b.attach(other.ioas());
          b.detach();
        }
      } finally {
        b.attach(pair.ioas());
      }
    }
    return together ? "EINVAL: A is in its group" : "done: A is in another group";
  }

  private static String group(VfioDevice device) throws IOException {
    return device.pci().system().readLink(device.pci().attribute("iommu_group"));
  }

  private static String attachRevoked(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    VfioDevice vfio = pair.deviceA().vfio();
    try (OtherIoas other = OtherIoas.of(pair, memory);
        DmaBuf dmaBuf = vfio.exportDmabuf(2, 0, LENGTH)) {
      Ioas.Mapping mapping = other.keep(other.ioas().mapFileAt(dmaBuf, PLACE));
      MemoryDecoding.off(vfio).close();
      other.attach();
      Reach.expectFault(pair, mapping.iova());
      other.keep(other.ioas().mapFileAt(dmaBuf, 2 * PLACE));
      Reach.check(pair, 2 * PLACE, 0, memory);
      Reach.expectFault(pair, mapping.iova());
      // It was not mapped when B was attached, nor is it to be unmapped now.
      Refusals.refused(
          Errno.ENOENT,
          "a copy of what is behind it",
          () -> pair.ioas().copy(other.ioas(), PLACE + LENGTH, LENGTH));
    }
    return "a fault at IOVA 0x%x, a new import beside it works".formatted(PLACE);
  }
}
