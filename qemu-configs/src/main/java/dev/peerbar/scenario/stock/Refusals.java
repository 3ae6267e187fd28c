package dev.peerbar.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;

import com.fasterxml.jackson.databind.JsonNode;
import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.GuestProgram.Outcome;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.util.regex.Pattern;

/** Commands that the endpoint cannot carry out. */
public final class Refusals implements Scenario<StockNvme> {
  /** More than any controller has. */
  private static final long NO_NAMESPACE = 0xfffffff0L;

  @Override
  public Description description() {
    return Description.of(
        "stock.refusals",
        "commands that are wrong",
        "each the status that the specification has for it");
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
    refuse("LBA Out of Range", beyondTheEnd(disk, nvme.file("read")));
    String other = nvme.file("other");
    nvme.program("dd", "if=/dev/urandom", "of=" + other, "bs=" + SmallTransfer.LENGTH, "count=1");
    refuse("Compare Failure", SmallTransfer.perform(disk, "compare", other));
    refuse(
        "Invalid Namespace or Format",
        disk.nvme("id-ns", "--namespace-id=" + NO_NAMESPACE, "--force"));
    refuse("Invalid Field in Command", disk.nvme("get-feature", "--feature-id=0x7e"));
    // The specification has a status for this one, which QEMU's does not use.
    refuse(
        "Invalid (Log Page|Field in Command)",
        disk.nvme("get-log", "--log-id=0x77", "--log-len=512"));
    refuse("Invalid Command Opcode", disk.nvme("admin-passthru", "--opcode=0x7f"));
    JsonNode errors = disk.json("error-log").path("errors");
    boolean hasErrorLog = disk.json("id-ctrl").path("elpe").asInt() > 0;
    if (hasErrorLog) {
      unless(errors.path(0).path("error_count").asLong() > 0, "the error log: %s", errors);
    }
    return "6 refused%s"
        .formatted(hasErrorLog ? ", %d in the error log".formatted(errors.size()) : "");
  }

  private static Outcome beyondTheEnd(NvmeDisk disk, String file) throws Exception {
    return disk.nvmeOfNamespace(
        "read",
        "--start-block=" + NvmeController.SIZE / SmallTransfer.BLOCK,
        "--block-count=0",
        "--data-size=" + SmallTransfer.BLOCK,
        "--data=" + file);
  }

  private static void refuse(String status, Outcome outcome) throws UnexpectedException {
    unless(
        outcome.status() != 0
            && Pattern.compile(status).matcher(outcome.err() + outcome.out()).find(),
        "not %s: %s",
        status,
        outcome);
  }
}
