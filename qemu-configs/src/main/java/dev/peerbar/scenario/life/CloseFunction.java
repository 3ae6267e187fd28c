package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.AmdIommu;
import dev.peerbar.scenario.fixture.Checksum;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.RoundTrip;
import java.util.List;

/** A driver lets go of its function while others use what it exported, or it uses theirs. */
final class CloseFunction {
  private static final long LENGTH = 1L << 20;
  private static final int ENTRIES = 32;

  private CloseFunction() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmPair.KIND,
                "life.close-exporter",
                "close A's descriptor while B has its memory imported, and open it again",
                "the import is dead for good: B's copies fault; A was reset; a new import works",
                CloseFunction::closeExporter)
            .needing(GuestFeature.DMABUF_IMPORT),
        Case.on(
                HbmPair.KIND,
                "life.close-exporter-under-load",
                "close A's descriptor while B copies into its memory",
                "B reports a write fault, no byte lands after the close, a new import works",
                CloseFunction::closeExporterUnderLoad)
            .needing(GuestFeature.DMABUF_IMPORT),
        Case.on(
                HbmPair.KIND,
                "life.close-initiator-under-load",
                "close B's descriptor while it copies into A's memory",
                "B was reset, no byte lands after the close; opened again, B copies through the"
                    + " same import",
                CloseFunction::closeInitiatorUnderLoad)
            .needing(GuestFeature.DMABUF_IMPORT, AmdIommu.LATE_ATTACHMENT));
  }

  private static String closeExporter(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    Pattern.fill(pair.memoryOfA(), pair.run().seed());
    long before = Checksum.of(pair.memoryOfA());
    PciDevice pci = pair.deviceA().vfio().pci();
    int resets = pair.a().read(HbmRegisters.RESET_COUNT);
    GuestDevice again;
    try (Import peer = pair.importOfA(LENGTH)) {
      pair.initiator().copy(peer.iova(), memory.iova(), LENGTH);
      pair.deviceA().close();
      expectDead(pair, memory, peer);
      again = pair.open(pci);
      resets = checkReset(again, resets);
      // The function lives again, and what was exported of its last life does not.
      expectDead(pair, memory, peer);
    }
    unless(Checksum.of(pair.memoryOfA()) == before, "A's memory changed");
    return "RESET_COUNT %d; %s".formatted(resets, roundTrip(pair, again));
  }

  private static void expectDead(HbmPair pair, DmaRange memory, Import peer) throws Exception {
    pair.initiator()
        .expectFault(
            Initiator.copying(memory.iova(), peer.iova(), LENGTH),
            ErrorCode.WRITE_FAULT,
            peer.iova());
    pair.initiator()
        .expectFault(
            Initiator.copying(peer.iova(), memory.iova(), LENGTH),
            ErrorCode.READ_FAULT,
            peer.iova());
  }

  /** RESET_COUNT of a function that was closed, and reset by that. */
  private static int checkReset(GuestDevice again, int before) throws Exception {
    int after = HbmDriver.of(again).read(HbmRegisters.RESET_COUNT);
    unless(after > before, "RESET_COUNT went from %d to %d", before, after);
    return after;
  }

  private static String roundTrip(HbmPair pair, GuestDevice exporter) throws Exception {
    pair.initiator().restart();
    try (Import peer =
        Import.of(pair.ioas(), exporter.vfio(), HbmRegisters.MEMORY_BAR, 0, Copying.LENGTH)) {
      return new RoundTrip(pair, LENGTH).through(peer);
    }
  }

  private static String closeExporterUnderLoad(HbmPair pair) throws Exception {
    PciDevice pci = pair.deviceA().vfio().pci();
    long at;
    try (Import peer = pair.importOfA(Copying.LENGTH)) {
      Copying copying = Copying.begin(pair, peer);
      pair.deviceA().close();
      long landed = copying.landed();
      at = copying.awaitCutOff();
      copying.checkLanded(landed);
    }
    return "fault at 0x%x of the import; %s".formatted(at, roundTrip(pair, pair.open(pci)));
  }

  private static String closeInitiatorUnderLoad(HbmPair pair) throws Exception {
    PciDevice pci = pair.deviceB().vfio().pci();
    int resets = pair.b().read(HbmRegisters.RESET_COUNT);
    DmaRange memory = pair.allocate(LENGTH, 0);
    try (Import peer = pair.importOfA(Copying.LENGTH)) {
      Copying copying = Copying.begin(pair, peer);
      pair.deviceB().close();
      long landed = copying.landed();
      GuestDevice again = pair.open(pci);
      resets = checkReset(again, resets);
      HbmDriver b = HbmDriver.of(again);
      // Whatever else would have stopped it leaves a fault behind.
      ChannelState state = b.channel(0, ENTRIES).state();
      unless(
          state == ChannelState.IDLE && b.status() == HbmRegisters.STATUS_READY,
          "B's channel is %s, its STATUS 0x%x",
          state,
          b.status());
      Initiator initiator = Initiator.of(b);
      initiator.copy(peer.iova(), memory.iova(), LENGTH);
      copying.checkLanded(landed);
      initiator.copy(memory.iova(), peer.iova(), LENGTH);
      copying.checkLanded(landed);
      return "RESET_COUNT %d; B copies from and to the import".formatted(resets);
    }
  }
}
