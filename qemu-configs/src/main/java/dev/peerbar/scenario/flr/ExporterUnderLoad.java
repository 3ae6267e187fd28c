package dev.peerbar.scenario.flr;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.boot.RefusedAccesses;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import java.util.LongSummaryStatistics;

/** A reset of an exporter while another function writes into it. */
public final class ExporterUnderLoad implements Scenario<HbmPair> {

  @Override
  public Description description() {
    return Description.of(
            "flr.exporter-under-load",
            "reset A during a copy by B, %d times".formatted(Load.ROUNDS),
            "B reports the fault, no byte lands after the reset (the vIOMMU refuses what is on the"
                + " wire), a new import works")
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.KIND;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    Load load = new Load(pair, Load.LENGTH);
    LongSummaryStatistics faults = new LongSummaryStatistics();
    Load.rounds(round -> {
      try (Import peer = pair.importOfA(Load.LENGTH)) {
        load.checkWorks(peer.iova());
        faults.accept(reset(pair, load, peer, round));
      }
    });
    try (Import again = pair.importOfA(Load.LENGTH)) {
      load.checkWorks(again.iova());
    }
    return "%d resets, faults from 0x%x to 0x%x into the import"
        .formatted(faults.getCount(), faults.getMin(), faults.getMax());
  }

  /** Where B met its fault, in bytes from the import's first. */
  private static long reset(HbmPair pair, Load load, Import peer, int round) throws Exception {
    pair.run()
        .mayComplain(
            RefusedAccesses.writes(pair.deviceB().vfio().pci(), peer.iova(), peer.length()));
    int resets = pair.a().read(HbmRegisters.RESET_COUNT);
    load.begin(peer.iova(), round);
    pair.deviceA().reset();
    long landed = load.landed();
    // If all copies were over before the reset, this is the one that meets it.
    load.copyOnceMore(peer.iova());
    long at = load.checkHalted(ErrorCode.WRITE_FAULT, peer.iova());
    load.checkLanded(landed);
    int after = pair.a().read(HbmRegisters.RESET_COUNT);
    unless(after == resets + 1, "RESET_COUNT %d after %d", after, resets);
    return at;
  }
}
