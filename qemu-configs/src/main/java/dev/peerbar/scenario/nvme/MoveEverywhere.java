package dev.peerbar.scenario.nvme;

import static dev.peerbar.scenario.fixture.nvme.LentController.BLOCKS;
import static dev.peerbar.scenario.fixture.nvme.LentController.TRANSFER;

import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.nvme.LentController;
import dev.peerbar.scenario.fixture.nvme.MemoryKind;
import dev.peerbar.scenario.fixture.nvme.NvmeHbm;
import java.util.ArrayList;
import java.util.List;

/** From each memory to the disk, and from there to each. */
public final class MoveEverywhere implements Scenario<NvmeHbm> {

  @Override
  public Description description() {
    return Description.of(
        "nvme.move-everywhere",
        "Writes from, Flush, and Reads into guest memory, the CMB and B's memory",
        "disk and memory right, seen by host and guest");
  }

  @Override
  public FixtureKind<NvmeHbm> fixture() {
    return NvmeHbm.KIND;
  }

  @Override
  public String run(NvmeHbm nvme) throws Exception {
    List<String> seen = new ArrayList<>();
    try (LentController a = nvme.lend()) {
      NvmeQueue queue = a.initialise(MemoryKind.GUEST);
      for (MemoryKind from : MemoryKind.values()) {
        for (MemoryKind to : MemoryKind.values()) {
          long seed = nvme.nextSeed();
          long lba = (long) BLOCKS * seen.size();
          a.memories().fill(from, 0, TRANSFER, seed);
          a.memories().clear(to, TRANSFER, TRANSFER);
          // Each list is in the memory that its data is not in, if they are two.
          a.run(queue, NvmeCommands.write(lba, BLOCKS, a.transfer(from, 0, to)));
          nvme.disk().check(lba * NvmeHbm.BLOCK, TRANSFER, seed);
          a.run(queue, NvmeCommands.flush());
          a.run(queue, NvmeCommands.read(lba, BLOCKS, a.transfer(to, TRANSFER, from)));
          a.memories().check(to, TRANSFER, TRANSFER, seed);
          seen.add(from + " to " + to);
        }
      }
    }
    return "64 KiB each: " + String.join(", ", seen);
  }
}
