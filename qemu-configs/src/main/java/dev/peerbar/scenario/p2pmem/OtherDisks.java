package dev.peerbar.scenario.p2pmem;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.util.List;

/** A controller's disk is read and written through another's memory. */
public final class OtherDisks implements Scenario<StockNvme> {
  @Override
  public Description description() {
    return Description.of(
            "p2pmem.other-disks",
            "O_DIRECT through one endpoint's CMB on the disks of another and of QEMU's",
            "the right bytes each way, for all pairs")
        .needing(GuestFeature.PEER_MEMORY);
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return StockNvme.hasMessages(setting) && StockNvme.peersReachEachOther(setting);
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    int pairs = 0;
    for (NvmeController provider : List.of(nvme.underTest(), nvme.second())) {
      for (NvmeController client : nvme.controllers()) {
        if (provider != client) {
          nvme.peers(provider, client).moveBytes();
          pairs++;
        }
      }
    }
    return "%d pairs, 1 MiB and 4 KiB each way".formatted(pairs);
  }
}
