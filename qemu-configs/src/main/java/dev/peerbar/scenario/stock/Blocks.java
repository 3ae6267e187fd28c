package dev.peerbar.scenario.stock;

import static dev.peerbar.scenario.stock.Answers.succeed;

import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.GuestProgram.Outcome;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.StockNvme;

/** nvme(1) writes and reads blocks, and has others erased. */
public final class Blocks implements Scenario<StockNvme> {
  @Override
  public Description description() {
    return Description.of(
        "stock.blocks",
        "nvme write, read, compare, verify, write-zeroes, dsm, flush",
        "the right bytes, and Success");
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
    String written = nvme.file("written");
    String read = nvme.file("read");
    nvme.program("dd", "if=/dev/urandom", "of=" + written, "bs=" + SmallTransfer.LENGTH, "count=1");
    succeed(SmallTransfer.perform(disk, "write", written));
    succeed(SmallTransfer.perform(disk, "read", read));
    nvme.program("busybox", "cmp", written, read);
    succeed(SmallTransfer.perform(disk, "compare", written));
    succeed(disk.nvmeOfNamespace("verify", SmallTransfer.range()));
    succeed(disk.nvmeOfNamespace("flush"));
    succeed(disk.nvmeOfNamespace("write-zeroes", SmallTransfer.range()));
    checkZeros(nvme, disk, read);
    succeed(SmallTransfer.perform(disk, "write", written));
    Outcome dsm =
        disk.nvmeOfNamespace(
            "dsm",
            "--ad",
            "--slbs=%d".formatted(SmallTransfer.START),
            "--blocks=" + SmallTransfer.LENGTH / SmallTransfer.BLOCK);
    succeed(dsm);
    checkZeros(nvme, disk, read);
    return "4 KiB written, read, compared, verified, zeroed, deallocated";
  }

  private static void checkZeros(StockNvme nvme, NvmeDisk disk, String read) throws Exception {
    succeed(SmallTransfer.perform(disk, "read", read));
    nvme.program("busybox", "cmp", "-n", "" + SmallTransfer.LENGTH, read, "/dev/zero");
  }
}
