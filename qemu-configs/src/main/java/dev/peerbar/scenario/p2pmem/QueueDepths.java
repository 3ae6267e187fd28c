package dev.peerbar.scenario.p2pmem;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.Fio;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.Peers;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.util.ArrayList;
import java.util.List;

/** Direct I/O through the endpoint's memory, from one request at a time to many. */
final class QueueDepths implements Scenario<StockNvme> {
  private static final List<Integer> DEPTHS = List.of(1, 2, 4, 8, 16, 32);
  private static final int MEBIBYTES = 1;

  @Override
  public Description description() {
    return Description.of(
            "p2pmem.queue-depths",
            "fio --verify=crc32c on a peer's disk, buffers in the endpoint's CMB, six jobs at"
                + " depths 1 to 32 at once",
            "every job moves all its bytes, every block has its checksum")
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
    Peers peers = nvme.peers(nvme.underTest(), nvme.second());
    List<String> options = new ArrayList<>(peers.fioOptions());
    options.addAll(
        List.of(
            "rw=randwrite",
            "bs=4k",
            "size=%dm".formatted(MEBIBYTES),
            "verify=crc32c",
            "verify_fatal=1"));
    for (int i = 0; i < DEPTHS.size(); i++) {
      options.add("name=depth-" + DEPTHS.get(i));
      options.add("iodepth=" + DEPTHS.get(i));
      options.add("offset=%dm".formatted(i * MEBIBYTES));
    }
    Fio.Result result = Fio.run(nvme.guest(), options.toArray(String[]::new));
    unless(result.good() && result.jobs().size() == DEPTHS.size(), "%s", result);
    for (Fio.Job job : result.jobs()) {
      unless(job.written().bytes() == (long) MEBIBYTES << 20, "%s", job);
    }
    return "%.1f MiB".formatted(result.bytes() / 1048576.0);
  }
}
