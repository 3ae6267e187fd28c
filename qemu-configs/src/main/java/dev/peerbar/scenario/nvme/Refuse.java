package dev.peerbar.scenario.nvme;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.nvme.LentController;
import dev.peerbar.scenario.fixture.nvme.MemoryKind;
import dev.peerbar.scenario.fixture.nvme.NvmeHbm;
import dev.peerbar.scenario.fixture.nvme.Witness;
import java.io.IOException;

/** Commands that end badly, each as its kind of mistake does. */
public final class Refuse implements Scenario<NvmeHbm> {
  private static final int LENGTH = NvmeDriver.PAGE;
  private static final int BLOCKS = LENGTH / NvmeHbm.BLOCK;

  @Override
  public Description description() {
    return Description.of(
        "nvme.refuse",
        "commands that cannot be carried out",
        "a status for each, and nothing changes");
  }

  @Override
  public FixtureKind<NvmeHbm> fixture() {
    return NvmeHbm.KIND;
  }

  @Override
  public String run(NvmeHbm nvme) throws Exception {
    try (LentController a = nvme.lend()) {
      NvmeQueue queue = a.initialise(MemoryKind.GUEST);
      a.memories().fill(MemoryKind.HBM, 0, LENGTH, nvme.nextSeed());
      nvme.disk().fill(0, LENGTH, nvme.nextSeed());
      Witness.Snapshot before = nvme.witness().snapshot();
      long disk = nvme.disk().checksum();
      DataPointer nowhere = new DataPointer(a.doorbells().iova() + (1L << 40), 0);
      DataPointer here = DataPointer.of(a.memories().data(MemoryKind.HBM, 0, LENGTH));
      long end = NvmeHbm.DISK / NvmeHbm.BLOCK;
      expect(Status.DATA_TRANSFER_ERROR, a, queue, NvmeCommands.write(0, BLOCKS, nowhere));
      expect(Status.DATA_TRANSFER_ERROR, a, queue, NvmeCommands.read(0, BLOCKS, nowhere));
      expect(Status.LBA_OUT_OF_RANGE, a, queue, NvmeCommands.read(end, BLOCKS, here));
      expect(
          Status.INVALID_NAMESPACE_OR_FORMAT,
          a,
          queue,
          NvmeCommands.write(0, BLOCKS, here).namespaceId(2));
      unless(nvme.disk().checksum() == disk, "the disk changed");
      Witness.Snapshot after = nvme.witness().snapshot();
      unless(after.hbm() == before.hbm() && after.cmb() == before.cmb(), "%s, %s", before, after);
    }
    return "a pointer to nowhere: Data Transfer Error; a block too far; another namespace";
  }

  private static void expect(
      Status status, LentController a, NvmeQueue queue, SubmissionEntry.Builder command)
      throws IOException, UnexpectedException {
    CompletionEntry completion = a.complete(queue, command);
    unless(completion.status() == status, "%s, expected %s", completion, status);
  }
}
