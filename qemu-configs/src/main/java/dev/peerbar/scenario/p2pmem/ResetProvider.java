package dev.peerbar.scenario.p2pmem;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.guest.GuestProgram;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.FailedTransfers;
import dev.peerbar.scenario.fixture.stock.Load;
import dev.peerbar.scenario.fixture.stock.Peers;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.util.regex.Pattern;

/** The controller whose memory carries a peer's direct I/O is reset. */
final class ResetProvider implements Scenario<StockNvme> {
  private static final int RESETS = 3;

  /** The driver says at warning level that it does as it was told. */
  private static final Pattern RESETTING = Pattern.compile("nvme nvme\\d+: resetting controller$");

  private static final Pattern NOT_ALL_PRINTED =
      Pattern.compile("(blk_print_req_error|nvme_log_error): \\d+ callbacks suppressed$");

  @Override
  public Description description() {
    return Description.of(
            "p2pmem.reset-provider",
            "nvme reset of the endpoint while a peer's disk works through its CMB, %d times, then FLR"
                .formatted(RESETS),
            "fio sees no error of the former; FLR fails what it meets, then bytes move as before")
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
    nvme.run().mayComplain(line -> RESETTING.matcher(line).find());
    Peers peers = nvme.peers(nvme.underTest(), nvme.second());
    try (Load load = Load.through(peers)) {
      for (int resets = 0; resets < RESETS; resets++) {
        load.awaitProgress();
        GuestProgram.Outcome reset = nvme.disk().nvme("reset");
        unless(reset.status() == 0, "nvme reset: %s", reset);
      }
      load.awaitProgress();
      load.finish();
    }
    FailedTransfers failed = new FailedTransfers(peers.client(), 0, Load.SIZE);
    nvme.run().mayComplain(line -> failed.test(line) || NOT_ALL_PRINTED.matcher(line).find());
    try (Load load = Load.through(peers)) {
      load.awaitProgress();
      nvme.disk().pci().reset();
    }
    return "%d controller resets and an FLR; %s".formatted(RESETS, peers.moveBytes());
  }
}
