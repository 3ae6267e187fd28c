package dev.peerbar.scenario.p2pmem;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.Fio;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.Peers;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.util.ArrayList;
import java.util.List;

/** fio's verification with its buffers in the endpoint's memory. */
public final class FioThroughMemory implements Scenario<StockNvme> {
  @Override
  public Description description() {
    return Description.of(
            "p2pmem.fio",
            "fio --verify=crc32c on the other disks, all of its buffers in the endpoint's CMB",
            "every block has its checksum")
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
    long bytes = 0;
    for (NvmeController client : List.of(nvme.second(), nvme.inQemu())) {
      Peers peers = nvme.peers(nvme.underTest(), client);
      List<String> options = new ArrayList<>(peers.fioOptions());
      options.addAll(
          List.of(
              "name=peer",
              "rw=randrw",
              "bsrange=4k-128k",
              "iodepth=8",
              "size=8m",
              "verify=crc32c",
              "verify_fatal=1"));
      Fio.Result result = Fio.run(nvme.guest(), options.toArray(String[]::new));
      unless(result.good(), "disk of %s: %s", client.port(), result);
      bytes += result.bytes();
    }
    return "%.1f MiB through %s"
        .formatted(bytes / 1048576.0, nvme.disk().pci().peerMemory("allocate"));
  }
}
