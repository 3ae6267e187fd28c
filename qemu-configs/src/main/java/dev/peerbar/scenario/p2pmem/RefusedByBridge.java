package dev.peerbar.scenario.p2pmem;

import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.Peers;
import dev.peerbar.scenario.fixture.stock.RefusedPeers;
import dev.peerbar.scenario.fixture.stock.StockNvme;

/** Where the kernel does not know the host bridge, nothing goes through it. */
public final class RefusedByBridge implements Scenario<StockNvme> {
  @Override
  public Description description() {
    return Description.of(
            "p2pmem.refused",
            "O_DIRECT through each controller's CMB on the disks of the others",
            "EINVAL each time, and no byte moves: the kernel does not know the host bridge")
        .needing(GuestFeature.PEER_MEMORY);
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return StockNvme.hasMessages(setting) && StockNvme.peersAreRefused(setting);
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    int refused = 0;
    for (NvmeController provider : nvme.controllers()) {
      for (NvmeController client : nvme.controllers()) {
        if (provider != client) {
          Peers peers = nvme.peers(provider, client);
          nvme.run()
              .mayComplain(
                  new RefusedPeers(peers.provider(), peers.client(), Peers.POSITION, Peers.LENGTH));
          peers.seeRefused(Errno.EINVAL);
          refused++;
        }
      }
    }
    return refused + " pairs, reads and writes; the disks and CMBs are as they were";
  }
}
