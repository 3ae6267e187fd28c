package dev.peerbar.scenario.topology;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Route;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Initiator;
import java.lang.foreign.MemorySegment;

/** iommufd asks nothing of ports, host bridges or CPUs. */
final class ImportAnywhere implements Scenario<HbmPair> {
  private static final long LENGTH = 1L << 20;

  @Override
  public Description description() {
    return Description.of(
            "topology.import",
            "A's memory imported for B and B's for A, by iommufd, wherever they are",
            "both copies arrive, at the IOVAs of the imports")
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.KIND;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    long seed = pair.run().seed();
    Pattern.fill(memory, seed);
    try (Import ofA = pair.importOfA(LENGTH);
        Import ofB =
            Import.of(pair.ioas(), pair.deviceB().vfio(), HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      copy(pair, pair.initiator(), "b", "a", memory, ofA, pair.memoryOfA(), seed);
      copy(pair, Initiator.of(pair.a()), "a", "b", memory, ofB, pair.memoryOfB(), seed);
      return "1 MiB each way, B to A at 0x%x, A to B at 0x%x".formatted(ofA.iova(), ofB.iova());
    }
  }

  private static void copy(
      HbmPair pair,
      Initiator initiator,
      String from,
      String to,
      DmaRange memory,
      Import peer,
      MemorySegment target,
      long seed)
      throws Exception {
    target.asSlice(0, LENGTH).fill((byte) 0);
    initiator.copy(memory.iova(), peer.iova(), LENGTH);
    long mismatch = Pattern.mismatch(target.asSlice(0, LENGTH), seed);
    unless(mismatch == LENGTH, "%s to %s: differs at 0x%x", from, to, mismatch);
    boolean asGiven =
        pair.run().lastTransfers("hbm-" + from).stream()
            .anyMatch(t -> t.destination() == peer.iova() && t.fault() == null);
    unless(asGiven, "%s made no transfer to 0x%x", from, peer.iova());
    pair.run().took(new Route(from, to, "IOAS mapping of a DMABUF", true));
  }
}
