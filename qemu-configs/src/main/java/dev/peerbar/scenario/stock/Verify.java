package dev.peerbar.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.Fio;
import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.StockNvme;

/** fio's verification: every byte that was written is read again. */
public final class Verify implements Scenario<StockNvme> {
  @Override
  public Description description() {
    return Description.of(
        "stock.verify",
        "fio --verify=crc32c: random, sequential, mixed; 512 bytes to 128 KiB; 1 to 4 jobs",
        "every block that was written has its checksum when it is read");
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
    NvmeDisk disk = nvme.disk();
    Fio.Result result =
        Fio.run(
            nvme.guest(),
            "filename=" + disk.path(),
            "verify=crc32c",
            "verify_fatal=1",
            "group_reporting=0",
            // Each job has blocks of its own.
            "offset_increment=32m",
            "name=depth-1",
            "rw=randwrite",
            "bs=4k",
            "size=2m",
            "iodepth=1",
            "name=random",
            "stonewall",
            "rw=randwrite",
            "bs=4k",
            "size=8m",
            "iodepth=32",
            "numjobs=2",
            "name=sequential",
            "stonewall",
            "rw=write",
            "bs=128k",
            "size=32m",
            "iodepth=8",
            "name=mixed",
            "stonewall",
            "rw=randrw",
            "bsrange=512-128k",
            "bs_unaligned=0",
            "size=8m",
            "iodepth=16",
            "numjobs=4");
    unless(result.good(), "%s", result);
    return "%d jobs moved %.1f MiB".formatted(result.jobs().size(), result.bytes() / 1048576.0);
  }
}
