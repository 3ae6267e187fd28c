package dev.peerbar.scenario.dmabuf;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.uapi.VfioDeviceFeature;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.DmaBufControl;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.BothEnds;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.MemoryDecoding;
import dev.peerbar.scenario.fixture.Refusals;
import java.util.List;

/** A DMABUF's exporter revokes it for ever, and chooses how it is mapped. */
final class MapControl {
  private static final int UNKNOWN_ATTRIBUTE = 7777;

  private MapControl() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmPair.KIND,
                "dmabuf.map.revoke",
                "revoke a DMABUF that is mapped, beside another and the BAR; reset A",
                "SIGBUS, ENODEV and EBADFD for it, for ever; the others work as ever",
                MapControl::revoke)
            .needing(MapFeature.MAPPING, MapFeature.REVOKING),
        Case.on(
                HbmPair.KIND,
                "dmabuf.map.revoke-import",
                "revoke a DMABUF that an IOAS has imported",
                "B faults there, before and after a reset of A; it cannot be imported again",
                MapControl::revokeImport)
            .needing(MapFeature.REVOKING),
        Case.on(
                HbmPair.KIND,
                "dmabuf.map.revoke-revoked",
                "revoke a DMABUF while A's memory decoding is off",
                "it does not come back with decoding, as one that is not revoked does",
                MapControl::revokeRevoked)
            .needing(MapFeature.MAPPING, MapFeature.REVOKING),
        Case.on(
                HbmPair.KIND,
                "dmabuf.map.revoke-errors",
                "revoke what is no descriptor, no DMABUF, B's, too short; get instead of set",
                "EBADF, EINVAL, ENODEV, EINVAL, EINVAL; the DMABUF works as ever",
                MapControl::revokeErrors)
            .needing(MapFeature.REVOKING),
        Case.on(
                HbmPair.KIND,
                "dmabuf.map.attributes",
                "map a DMABUF uncached, write-combined, and uncached again",
                "each is A's memory, side by side; an unknown attribute is ENOENT",
                MapControl::attributes)
            .needing(MapFeature.MAPPING, MapFeature.ATTRIBUTES),
        Case.on(
                HbmPair.KIND,
                "dmabuf.map.attribute-errors",
                "choose attributes for no descriptor, no DMABUF, B's, and without a value",
                "EBADF, EINVAL, ENODEV, EINVAL",
                MapControl::attributeErrors)
            .needing(MapFeature.ATTRIBUTES));
  }

  private static String revoke(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    DmaBufControl control = DmaBufControl.of(pair.deviceA().vfio());
    try (Mapped revoked = Mapped.of(pair);
        Mapped other = Mapped.of(pair);
        GuestMemory bar =
            pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR, Mapped.OFFSET, Mapped.LENGTH)) {
      for (GuestMemory each : List.of(revoked.memory(), other.memory(), bar)) {
        BothEnds.checkLoads(each, revoked.host(), ++seed);
      }
      control.revoke(revoked.dmaBuf().fd());
      for (int round = 0; round < 2; round++) {
        revoked.expectSigbus("of what was revoked");
        new Refusals()
            .refuse(Errno.ENODEV, "to map it", () -> revoked.dmaBuf().map())
            .refuse(Errno.EBADFD, "to revoke it again", () -> control.revoke(revoked.dmaBuf().fd()))
            .seen();
        for (GuestMemory each : List.of(other.memory(), bar)) {
          BothEnds.checkLoads(each, revoked.host(), ++seed);
          BothEnds.checkStores(each, revoked.host(), ++seed);
        }
        try (GuestMemory later = other.dmaBuf().map()) {
          BothEnds.checkLoads(later, revoked.host(), ++seed);
        }
        pair.deviceA().reset();
      }
      try (Mapped anew = Mapped.of(pair)) {
        anew.checkStores(++seed);
      }
      return "feature %d".formatted(control.revokeFeature().orElseThrow().feature());
    }
  }

  private static String revokeImport(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    DmaBufControl control = DmaBufControl.of(pair.deviceA().vfio());
    DmaRange ram = pair.allocate(Mapped.LENGTH, 0);
    Pattern.fill(ram, seed);
    try (DmaBuf dmaBuf = Mapped.export(pair, Mapped.OFFSET, Mapped.LENGTH)) {
      Ioas.Mapping peer = pair.ioas().mapFile(dmaBuf);
      pair.initiator().copy(ram.iova(), peer.iova(), Mapped.LENGTH);
      control.revoke(dmaBuf.fd());
      Pattern.fill(pair.memoryOfA().asSlice(Mapped.OFFSET, Mapped.LENGTH), seed + 1);
      for (int round = 0; round < 2; round++) {
        pair.initiator()
            .expectFault(
                Initiator.copying(ram.iova(), peer.iova(), Mapped.LENGTH),
                ErrorCode.WRITE_FAULT,
                peer.iova());
        Refusals.refused(Errno.ENODEV, "to import it once more", () -> pair.ioas().mapFile(dmaBuf));
        pair.deviceA().reset();
      }
      long mismatch =
          Pattern.mismatch(pair.memoryOfA().asSlice(Mapped.OFFSET, Mapped.LENGTH), seed + 1);
      unless(mismatch == Mapped.LENGTH, "A's memory changed at 0x%x", mismatch);
      pair.ioas().unmap(peer);
    }
    try (var peer = pair.importOfA(HbmRegisters.MEMORY_BAR, Mapped.OFFSET, Mapped.LENGTH)) {
      pair.initiator().restart();
      pair.initiator().copy(ram.iova(), peer.iova(), Mapped.LENGTH);
    }
    return "write fault before and after a reset, ENODEV; one exported anew works";
  }

  private static String revokeRevoked(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    DmaBufControl control = DmaBufControl.of(pair.deviceA().vfio());
    try (Mapped revoked = Mapped.of(pair);
        Mapped other = Mapped.of(pair)) {
      revoked.checkLoads(seed + 1);
      try (MemoryDecoding _ = MemoryDecoding.off(pair.deviceA().vfio())) {
        control.revoke(revoked.dmaBuf().fd());
        revoked.expectSigbus("while A's BARs are off");
      }
      revoked.expectSigbus("with decoding on again");
      new Refusals()
          .refuse(Errno.ENODEV, "to map it", () -> revoked.dmaBuf().map())
          .refuse(Errno.EBADFD, "to revoke it again", () -> control.revoke(revoked.dmaBuf().fd()))
          .seen();
      other.checkLoads(seed + 2);
      other.checkStores(seed + 3);
    }
    return "SIGBUS, ENODEV, EBADFD";
  }

  private static String revokeErrors(HbmPair pair) throws Exception {
    DmaBufControl control = DmaBufControl.of(pair.deviceA().vfio());
    VfioDeviceFeature feature = control.revokeFeature().orElseThrow();
    GuestSystem system = pair.guest().system();
    DmaRange ram = pair.allocate(Mapped.LENGTH, 0);
    int memfd = system.memfd("no-dmabuf", Mapped.PAGE);
    try (DmaBuf ours = Mapped.export(pair, Mapped.OFFSET, Mapped.LENGTH);
        DmaBuf others =
            pair.deviceB().vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, Mapped.LENGTH)) {
      String seen =
          new Refusals()
              .refuse(Errno.EBADF, "no descriptor", () -> control.revoke(-1))
              .refuse(Errno.EBADF, "one that is not open", () -> control.revoke(1000))
              .refuse(Errno.EINVAL, "a memfd", () -> control.revoke(memfd))
              .refuse(
                  Errno.EINVAL,
                  "the device itself",
                  () -> control.revoke(pair.deviceA().vfio().fd()))
              .refuse(Errno.ENODEV, "B's", () -> control.revoke(others.fd()))
              .refuse(Errno.EINVAL, "no argument", () -> control.set(feature.set()))
              .refuse(Errno.EINVAL, "get", () -> control.set(feature.get(Integer.BYTES)))
              .seen();
      Ioas.Mapping peer = pair.ioas().mapFile(ours);
      pair.initiator().copy(ram.iova(), peer.iova(), Mapped.LENGTH);
      pair.ioas().unmap(peer);
      return seen;
    } finally {
      system.close(memfd);
    }
  }

  private static String attributes(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    DmaBufControl control = DmaBufControl.of(pair.deviceA().vfio());
    try (Mapped uncached = Mapped.of(pair)) {
      int fd = uncached.dmaBuf().fd();
      uncached.checkLoads(++seed);
      control.chooseAttribute(fd, DmaBufControl.WRITE_COMBINED);
      try (GuestMemory combined = uncached.dmaBuf().map()) {
        Refusals.refused(
            Errno.ENOENT,
            "an unknown attribute",
            () -> control.chooseAttribute(fd, UNKNOWN_ATTRIBUTE));
        control.chooseAttribute(fd, DmaBufControl.UNCACHED);
        try (GuestMemory again = uncached.dmaBuf().map()) {
          List<GuestMemory> all = List.of(uncached.memory(), combined, again);
          for (GuestMemory from : all) {
            BothEnds.checkStores(from, uncached.host(), ++seed);
            for (GuestMemory to : all) {
              var seen = to.verifyPattern(0, Mapped.LENGTH, seed);
              unless(seen.isEmpty(), "they are not the same memory: %s", seen);
            }
          }
          pair.deviceA().reset();
          for (GuestMemory each : all) {
            BothEnds.checkLoads(each, uncached.host(), ++seed);
          }
        }
      }
      return "feature %d".formatted(control.attributeFeature().orElseThrow().feature());
    }
  }

  private static String attributeErrors(HbmPair pair) throws Exception {
    DmaBufControl control = DmaBufControl.of(pair.deviceA().vfio());
    VfioDeviceFeature feature = control.attributeFeature().orElseThrow();
    GuestSystem system = pair.guest().system();
    int memfd = system.memfd("no-dmabuf", Mapped.PAGE);
    try (DmaBuf ours = Mapped.export(pair, Mapped.OFFSET, Mapped.LENGTH);
        DmaBuf others =
            pair.deviceB().vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, Mapped.LENGTH)) {
      return new Refusals()
          .refuse(Errno.EBADF, "no descriptor", () -> control.chooseAttribute(-1, 0))
          .refuse(Errno.EINVAL, "a memfd", () -> control.chooseAttribute(memfd, 0))
          .refuse(Errno.ENODEV, "B's", () -> control.chooseAttribute(others.fd(), 0))
          .refuse(Errno.ENOENT, "unknown", () -> control.chooseAttribute(ours.fd(), -1))
          .refuse(Errno.EINVAL, "no value", () -> control.set(feature.set(ours.fd())))
          .refuse(Errno.EINVAL, "get", () -> control.set(feature.get(2 * Integer.BYTES)))
          .seen();
    } finally {
      system.close(memfd);
    }
  }
}
