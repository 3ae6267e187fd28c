package dev.peerbar.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.GuestProgram.Outcome;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.stock.Mount;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.io.IOException;

/** A file system: every byte that was written is read again. */
public final class FileSystem implements Scenario<StockNvme> {
  private static final String FILES = Mount.PLACE + "/files";

  /** What is copied into the file system: thousands of small files, and large ones. */
  private static final String SOURCE = "/usr/sbin";

  private static final String FILL = Mount.PLACE + "/fill";
  private static final String FILE_SYSTEM_SIZE = "192M";

  @Override
  public Description description() {
    return Description.of(
            "stock.file-system",
            "ext4 is made, mounted, filled to the last block, unmounted, mounted again",
            "all files are as they were, e2fsck finds nothing, fstrim trims")
        .needing(GuestFeature.FILES);
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
    nvme.program("mkfs.ext4", "-q", "-F", disk.path(), FILE_SYSTEM_SIZE);
    String filled;
    try (Mount _ = Mount.of(nvme, disk)) {
      filled = fill(nvme);
    }
    nvme.program("e2fsck", "-f", "-n", disk.path());
    String trimmed;
    try (Mount _ = Mount.of(nvme, disk)) {
      trimmed = compareAndTrim(nvme);
    }
    nvme.program("e2fsck", "-f", "-n", disk.path());
    return "filled with %s; %s".formatted(filled, trimmed);
  }

  private static String fill(StockNvme nvme) throws IOException, UnexpectedException {
    nvme.program("cp", "-r", SOURCE, FILES);
    Outcome fill = nvme.guest().run("dd", "if=/dev/zero", "of=" + FILL, "bs=1M");
    unless(
        fill.status() != 0 && fill.err().contains("No space left on device"),
        "the file system did not fill up: %s",
        fill);
    nvme.program("sync");
    return lastLine(fill.err());
  }

  private static String compareAndTrim(StockNvme nvme) throws IOException, UnexpectedException {
    nvme.program("busybox", "diff", "-r", SOURCE, FILES);
    nvme.program("busybox", "cmp", "-n", "67108864", FILL, "/dev/zero");
    nvme.program("rm", FILL);
    // Blocks are free when the journal says so.
    nvme.program("sync");
    String trimmed = nvme.program("fstrim", "-v", Mount.PLACE).out().strip();
    nvme.program("busybox", "diff", "-r", SOURCE, FILES);
    return trimmed;
  }

  private static String lastLine(String text) {
    return text.lines().reduce("", (_, line) -> line);
  }
}
