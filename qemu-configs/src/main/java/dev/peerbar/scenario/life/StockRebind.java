package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import dev.peerbar.scenario.fixture.stock.StockNvme.Absence;

/** The guest's driver gives a controller up and takes it again. */
public final class StockRebind implements Scenario<StockNvme> {
  @Override
  public Description description() {
    return Description.of(
            "life.stock-rebind",
            "unbind the driver and bind it again",
            "the disk goes and comes back with what was on it")
        .needing(GuestFeature.PEER_MEMORY);
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return StockNvme.isForEverything(setting);
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    NvmeDisk disk = nvme.disk();
    try (Absence _ = nvme.unbind()) {
      unless(disk.pci().driver().isEmpty(), "still bound");
      unless(disk.state().equals("gone"), "%s is %s", disk.name(), disk.state());
    }
    String back = nvme.disk().toString();
    return back + "; " + nvme.peers(nvme.underTest(), nvme.underTest()).moveBytes();
  }
}
