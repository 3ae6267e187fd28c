package dev.peerbar.scenario.p2pmem;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.StockNvme;

/** A controller's disk is read and written through its own memory. */
public final class OwnDisk implements Scenario<StockNvme> {
  @Override
  public Description description() {
    return Description.of(
            "p2pmem.own-disk",
            "O_DIRECT through the endpoint's CMB on its own disk",
            "the right bytes in the CMB, in the image file, and in memory afterwards")
        .needing(GuestFeature.PEER_MEMORY);
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return StockNvme.hasMessages(setting);
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    return nvme.peers(nvme.underTest(), nvme.underTest()).moveBytes();
  }
}
