package dev.peerbar.scenario.life;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.Load;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import dev.peerbar.scenario.fixture.stock.StockNvme.Absence;

/** The guest's driver gives a controller up while a program works on its disk. */
public final class StockUnbindUnderLoad implements Scenario<StockNvme> {
  @Override
  public Description description() {
    return Description.of(
            "life.stock-unbind-under-load",
            "unbind the driver while fio works on the disk",
            "fio ends with an error; bound again, the disk works")
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
    try (Load load = Load.on(nvme.disk())) {
      load.awaitProgress();
      long start = System.nanoTime();
      String end;
      try (Absence _ = nvme.unbind()) {
        end = load.awaitFailure(start);
      }
      nvme.peers(nvme.underTest(), nvme.underTest()).moveBytes();
      return end;
    }
  }
}
