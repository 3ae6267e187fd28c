package dev.peerbar.scenario.bar;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** The guest's mapping of a memory BAR and the host's are one memory. */
public final class MapMemory implements Scenario<HbmPair> {
  private static final long LENGTH = 1L << 20;

  @Override
  public Description description() {
    return Description.of(
        "bar.map",
        "map A's memory BAR",
        "the host sees what the guest stores, and the other way round");
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.KIND;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    try (GuestMemory bar = pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR)) {
      for (long offset : List.of(0L, HbmPair.BAR_SIZE - LENGTH)) {
        MemorySegment host = pair.memoryOfA().asSlice(offset, LENGTH);
        bar.fillPattern(offset, LENGTH, ++seed);
        long mismatch = Pattern.mismatch(host, seed);
        unless(
            mismatch == LENGTH,
            "the host sees other bytes at 0x%x than the guest stored",
            offset + mismatch);
        Pattern.fill(host, ++seed);
        var seen = bar.verifyPattern(offset, LENGTH, seed);
        unless(seen.isEmpty(), "the guest sees other bytes than the host stored: %s", seen);
      }
    }
    return "2 x 1 MiB each way, at both ends of the BAR";
  }
}
