package dev.peerbar.scenario.flr;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.Load;
import dev.peerbar.scenario.fixture.stock.StockNvme;

/** The function is reset while a program works on its disk. */
public final class StockUnderLoad implements Scenario<StockNvme> {
  private static final int RESETS = 8;

  @Override
  public Description description() {
    return Description.of(
        "flr.stock-under-load",
        "reset the function through sysfs while fio writes and verifies, %d times"
            .formatted(RESETS),
        "fio sees no error, every block has its checksum");
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
    try (Load load = Load.checked(nvme.disk())) {
      for (int resets = 0; resets < RESETS; resets++) {
        load.awaitProgress();
        nvme.disk().pci().reset();
      }
      load.awaitProgress();
      return "%d resets, fio moved %.1f MiB".formatted(RESETS, load.finish().bytes() / 1048576.0);
    }
  }
}
