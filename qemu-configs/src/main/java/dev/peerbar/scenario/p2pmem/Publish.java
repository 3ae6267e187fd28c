package dev.peerbar.scenario.p2pmem;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** The driver publishes the endpoint's CMB, and a program gets some of it. */
public final class Publish implements Scenario<StockNvme> {
  private static final long LENGTH = 1L << 20;

  @Override
  public Description description() {
    return Description.of(
            "p2pmem.publish",
            "p2pmem/{size,available,published} and allocate",
            "the whole CMB, published; what the guest stores, the host sees, and the other way"
                + " round")
        .needing(GuestFeature.PEER_MEMORY);
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return StockNvme.hasMessages(setting);
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    NvmeDisk disk = nvme.disk();
    long size = number(disk, "size");
    long available = number(disk, "available");
    unless(size == NvmeController.MEMORY, "size %d", size);
    // The driver has put its submission queues there.
    unless(available > size / 2 && available < size, "available %d of %d", available, size);
    unless(number(disk, "published") == 1, "not published");
    long seed = nvme.run().seed();
    long left;
    String seen = "";
    try (GuestMemory memory = disk.pci().allocatePeerMemory(LENGTH)) {
      memory.fillPattern(0, LENGTH, ++seed);
      unless(
          memory.verifyPattern(0, LENGTH, seed).isEmpty(), "the guest does not see what it stored");
      Optional<MemorySegment> host = nvme.underTest().memory(seed, LENGTH);
      if (host.isPresent()) {
        long mismatch = Pattern.mismatch(host.get(), seed);
        unless(mismatch == LENGTH, "the host sees other bytes at 0x%x", mismatch);
        Pattern.fill(host.get(), ++seed);
        var wrong = memory.verifyPattern(0, LENGTH, seed);
        unless(wrong.isEmpty(), "the guest sees other bytes than the host stored: %s", wrong);
        seen = ", 1 MiB each way";
      }
      left = number(disk, "available");
      // Pages are taken when they are first touched.
      unless(left == available - LENGTH, "available %d after an allocation", left);
    }
    unless(number(disk, "available") == available, "the memory did not come back");
    return "size %d, available %d, %d with 1 MiB allocated%s"
        .formatted(size, available, left, seen);
  }

  private static long number(NvmeDisk disk, String attribute) throws Exception {
    return Long.parseLong(disk.guest().system().readText(disk.pci().peerMemory(attribute)));
  }
}
