package dev.peerbar.scenario.nvme;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.nvme.LentController;
import dev.peerbar.scenario.fixture.nvme.MemoryKind;
import dev.peerbar.scenario.fixture.nvme.NvmeHbm;
import java.util.List;

/** One command from another device, from its submission to the head doorbell. */
public final class WriteByPeer implements Scenario<NvmeHbm> {

  @Override
  public Description description() {
    return Description.of(
        "nvme.write-by-peer",
        "B puts a Write into the CMB and rings, all by P2P",
        "A writes what guest memory has; completion in guest memory, MSI-X");
  }

  @Override
  public FixtureKind<NvmeHbm> fixture() {
    return NvmeHbm.KIND;
  }

  @Override
  public String run(NvmeHbm nvme) throws Exception {
    long seed = nvme.nextSeed();
    try (LentController a = nvme.lend()) {
      NvmeQueue queue = a.initialise(MemoryKind.GUEST);
      a.memories().fill(MemoryKind.GUEST, 0, LentController.TRANSFER, seed);
      DataPointer data = a.transfer(MemoryKind.GUEST, 0, MemoryKind.GUEST);
      a.initiator().submit(queue, List.of(NvmeCommands.write(0, LentController.BLOCKS, data)));
      unless(queue.awaitInterrupt(NvmeDriver.LIMIT), "no interrupt");
      List<CompletionEntry> completions = queue.collect();
      unless(
          completions.size() == 1
              && completions.getFirst().status() == Status.SUCCESS
              && completions.getFirst().sqHead() == queue.tail(),
          "%s",
          completions);
      a.initiator().ringHead(queue);
      nvme.disk().check(0, LentController.TRANSFER, seed);
      return "64 KiB on disk, %s; the head rung by P2P, too".formatted(completions.getFirst());
    }
  }
}
