package dev.peerbar.scenario.p2pmem;

import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.FailedTransfers;
import dev.peerbar.scenario.fixture.stock.Peers;
import dev.peerbar.scenario.fixture.stock.StockNvme;

/** What the kernel lets through, QEMU may still not be able to do. */
public final class Unreachable implements Scenario<StockNvme> {
  @Override
  public Description description() {
    return Description.of(
            "p2pmem.unreachable",
            "O_DIRECT on the endpoint's disk through the CMB of QEMU's, to which QEMU gives no"
                + " server a way",
            "EIO, and no byte moves")
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
    Peers peers = nvme.peers(nvme.inQemu(), nvme.underTest());
    nvme.run().mayComplain(new FailedTransfers(peers.client(), Peers.POSITION, Peers.LENGTH));
    peers.seeRefused(Errno.EIO);
    return "EIO for a write and a read; disk and CMB are as they were";
  }
}
