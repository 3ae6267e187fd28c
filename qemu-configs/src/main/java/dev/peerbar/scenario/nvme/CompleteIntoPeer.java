package dev.peerbar.scenario.nvme;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.driver.DmaRange;
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
import dev.peerbar.scenario.fixture.nvme.PeerMemories;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Completions that go to the device whose commands they are of. */
public final class CompleteIntoPeer implements Scenario<NvmeHbm> {
  /** So many that the queue is gone around more than once. */
  private static final int MORE = 3 * LentController.ENTRIES;

  @Override
  public Description description() {
    return Description.of(
        "nvme.complete-into-peer",
        "a completion queue in B's memory",
        "the completion reaches B by P2P");
  }

  @Override
  public FixtureKind<NvmeHbm> fixture() {
    return NvmeHbm.KIND;
  }

  @Override
  public String run(NvmeHbm nvme) throws Exception {
    try (LentController a = nvme.lend()) {
      NvmeQueue queue = a.replace(a.initialise(MemoryKind.GUEST), MemoryKind.HBM);
      CompletionEntry first = completeOne(a, queue);
      for (int i = 0; i < MORE; i++) {
        a.run(queue, NvmeCommands.flush());
      }
      // The tail that rings it first is the one that rang its predecessor last.
      a.run(a.replace(queue, MemoryKind.GUEST), NvmeCommands.flush());
      return "%s for host, B and guest; then %d more".formatted(first, MORE);
    }
  }

  /** The first completion, which host, B and guest must see alike. */
  private static CompletionEntry completeOne(LentController a, NvmeQueue queue)
      throws IOException, UnexpectedException {
    a.initiator().submit(queue, List.of(NvmeCommands.flush()));
    unless(queue.awaitInterrupt(NvmeDriver.LIMIT), "no interrupt");
    CompletionEntry host = CompletionEntry.decode(a.memories().hostCompletions(), 0);
    DmaRange copied = a.memories().data(MemoryKind.GUEST, 0, CompletionEntry.BYTES);
    a.initiator()
        .run(
            List.of(
                Descriptor.copy(copied.length())
                    .fromLocal(PeerMemories.completionsOffset())
                    .to(copied.iova())
                    .interrupt()));
    CompletionEntry byPeer =
        CompletionEntry.decode(MemorySegment.ofArray(copied.read(0, CompletionEntry.BYTES)), 0);
    List<CompletionEntry> byGuest = queue.collect();
    unless(
        host.phase()
            && host.status() == Status.SUCCESS
            && byPeer.equals(host)
            && byGuest.equals(List.of(host)),
        "the host sees %s, B %s, the guest %s",
        host,
        byPeer,
        byGuest);
    a.initiator().ringHead(queue);
    return host;
  }
}
