package dev.peerbar.scenario.dmabuf;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.BothEnds;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.MemoryDecoding;
import dev.peerbar.scenario.fixture.Refusals;
import java.util.List;

/** What becomes of mappings of a DMABUF when its exporter is reset, deaf or closed. */
final class MapRevoked {
  private MapRevoked() {}

  static List<Scenario<?>> all() {
    return List.of(
        on(
            "dmabuf.map.decoding",
            "clear A's Memory Space Enable, and set it again",
            "SIGBUS and ENODEV meanwhile; afterwards the old mapping faults in, a new one works",
            MapRevoked::decoding),
        on(
            "dmabuf.map.born-revoked",
            "export and map a DMABUF while A's memory decoding is off",
            "ENODEV; with decoding on again it can be mapped",
            MapRevoked::bornRevoked),
        on(
            "dmabuf.map.reset",
            "reset A with a DMABUF mapped, touched in part",
            "all of the mapping is A's memory afterwards, which the reset did not change",
            MapRevoked::reset),
        on(
            "dmabuf.map.device-closed",
            "close A with a DMABUF mapped, and open it again",
            "SIGBUS and ENODEV for ever; one exported anew works",
            MapRevoked::deviceClosed),
        on(
            "dmabuf.map.others",
            "reset B, and take its memory decoding away",
            "the mapping of A's DMABUF is not touched",
            MapRevoked::others));
  }

  private static Case<HbmPair> on(
      String name, String does, String expects, Case.Body<HbmPair> body) {
    return Case.on(HbmPair.KIND, name, does, expects, body).needing(MapFeature.MAPPING);
  }

  private static String decoding(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    try (Mapped mapped = Mapped.of(pair)) {
      mapped.checkLoads(seed + 1);
      try (MemoryDecoding _ = MemoryDecoding.off(pair.deviceA().vfio())) {
        mapped.expectSigbus("while A's BARs are off");
        Refusals.refused(Errno.ENODEV, "to map it once more", () -> mapped.dmaBuf().map());
      }
      long mismatch = Pattern.mismatch(mapped.host(), seed + 1);
      unless(mismatch == Mapped.LENGTH, "A's memory changed at 0x%x", mismatch);
      mapped.checkLoads(seed + 2);
      mapped.checkStores(seed + 3);
      try (GuestMemory later = mapped.dmaBuf().map()) {
        BothEnds.checkLoads(later, mapped.host(), seed + 4);
      }
    }
    return "SIGBUS for loads and stores, ENODEV for mmap";
  }

  private static String bornRevoked(HbmPair pair) throws Exception {
    DmaBuf born;
    try (MemoryDecoding _ = MemoryDecoding.off(pair.deviceA().vfio())) {
      born = Mapped.export(pair, Mapped.OFFSET, Mapped.LENGTH);
      Refusals.refused(Errno.ENODEV, "to map it", born::map);
    }
    try (DmaBuf dmaBuf = born;
        GuestMemory memory = dmaBuf.map()) {
      BothEnds.checkLoads(
          memory, pair.memoryOfA().asSlice(Mapped.OFFSET, Mapped.LENGTH), pair.run().seed());
    }
    return "ENODEV, and a mapping once decoding is on";
  }

  private static String reset(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    try (Mapped mapped = Mapped.of(pair)) {
      Pattern.fill(mapped.host(), seed);
      long half = Mapped.LENGTH / 2;
      var seen = mapped.memory().verifyPattern(0, half, seed);
      unless(seen.isEmpty(), "before: %s", seen);
      int resets = pair.a().read(HbmRegisters.RESET_COUNT);
      var took = pair.deviceA().vfio().reset();
      pair.run().record("reset with a DMABUF mapped", took);
      int after = pair.a().read(HbmRegisters.RESET_COUNT);
      unless(after == resets + 1, "RESET_COUNT went from %d to %d", resets, after);
      seen = mapped.memory().verifyPattern(0, Mapped.LENGTH, seed);
      unless(seen.isEmpty(), "after the reset: %s", seen);
      mapped.checkStores(seed + 1);
      return "the reset took %d ms".formatted(took.toMillis());
    }
  }

  private static String deviceClosed(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    var pci = pair.deviceA().vfio().pci();
    try (Mapped mapped = Mapped.of(pair)) {
      mapped.checkLoads(seed + 1);
      pair.deviceA().close();
      mapped.expectSigbus("after A was closed");
      Refusals.refused(Errno.ENODEV, "to map it once more", () -> mapped.dmaBuf().map());
      try (var vfio = pair.open(pci)) {
        mapped.expectSigbus("after A was opened again");
        Refusals.refused(Errno.ENODEV, "to map it even then", () -> mapped.dmaBuf().map());
        try (DmaBuf anew =
                vfio.vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, Mapped.OFFSET, Mapped.LENGTH);
            GuestMemory memory = anew.map()) {
          BothEnds.checkLoads(memory, mapped.host(), seed + 2);
          vfio.reset();
          BothEnds.checkStores(memory, mapped.host(), seed + 3);
        }
        mapped.expectSigbus("after a reset");
      }
    }
    return "SIGBUS and ENODEV, a new one works";
  }

  private static String others(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    try (Mapped mapped = Mapped.of(pair)) {
      mapped.checkLoads(seed + 1);
      pair.deviceB().reset();
      mapped.checkStores(seed + 2);
      try (MemoryDecoding _ = MemoryDecoding.off(pair.deviceB().vfio())) {
        mapped.checkLoads(seed + 3);
      }
    }
    return "one reset, once without decoding";
  }
}
