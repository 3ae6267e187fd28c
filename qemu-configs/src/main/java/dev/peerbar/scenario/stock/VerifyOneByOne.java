package dev.peerbar.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.Fio;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.StockNvme;

/**
 * fio's verification with interrupts by pin, in a guest of one processor: one command at a time.
 * QEMU lowers a pin of a vfio-user device when the guest accesses one of its BARs, whatever for. If
 * that is to submit a command while the last one's completion waits, the endpoint raises the pin
 * again, and nothing lowers it: the driver accesses no BAR in an interrupt for which it finds no
 * completion.
 */
public final class VerifyOneByOne implements Scenario<StockNvme> {
  @Override
  public Description description() {
    return Description.of(
        "stock.verify-one-by-one",
        "fio --verify=crc32c, one command at a time",
        "every block that was written has its checksum when it is read");
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return !StockNvme.hasMessages(setting);
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    Fio.Result result =
        Fio.run(
            nvme.guest(),
            "name=pin",
            "filename=" + nvme.disk().path(),
            "verify=crc32c",
            "verify_fatal=1",
            "rw=randwrite",
            "bsrange=512-64k",
            "size=8m",
            "iodepth=1");
    unless(result.good(), "%s", result);
    return "moved %.1f MiB".formatted(result.bytes() / 1048576.0);
  }
}
