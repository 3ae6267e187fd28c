package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.guest.GuestProgram;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.Load;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.util.regex.Pattern;

/** The guest's driver resets a controller while a program works on its disk. */
public final class StockControllerReset implements Scenario<StockNvme> {
  private static final int RESETS = 8;

  /** The driver says at warning level that it does as it was told. */
  private static final Pattern RESETTING = Pattern.compile("nvme nvme\\d+: resetting controller$");

  @Override
  public Description description() {
    return Description.of(
        "life.stock-controller-reset",
        "nvme reset while fio writes and verifies, %d times".formatted(RESETS),
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
    nvme.run().mayComplain(line -> RESETTING.matcher(line).find());
    try (Load load = Load.checked(nvme.disk())) {
      for (int resets = 0; resets < RESETS; resets++) {
        load.awaitProgress();
        GuestProgram.Outcome reset = nvme.disk().nvme("reset");
        unless(reset.status() == 0, "nvme reset: %s", reset);
      }
      load.awaitProgress();
      return "%d resets, fio moved %.1f MiB".formatted(RESETS, load.finish().bytes() / 1048576.0);
    }
  }
}
