package dev.peerbar.scenario.bar;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.AmdIommu;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** A BAR that is larger than the guest's memory, and than a 32-bit number. */
public final class LargeBar implements Scenario<HbmPair> {
  private static final long SIZE = HbmPair.LARGE_BAR_SIZE;
  private static final long PAGE = 4096;

  @Override
  public Description description() {
    return Description.of(
            "bar.large",
            "map A's memory BAR of 8 GiB, export and import it whole",
            "the guest and B reach the first page and the last, and B faults behind it")
        .needing(GuestFeature.DMABUF_IMPORT, AmdIommu.LARGE_UNMAP);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.LARGE;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    long size = pair.deviceA().vfio().region(VfioPciRegion.BAR2).size();
    unless(size == SIZE, "the region has 0x%x bytes", size);
    long memSize = pair.a().readLong(HbmRegisters.MEM_SIZE);
    unless(memSize == SIZE, "MEM_SIZE is 0x%x", memSize);
    long seed = pair.run().seed();
    DmaRange memory = pair.allocate(PAGE, PAGE);
    try (GuestMemory bar = pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR);
        Import peer = pair.importOfA(SIZE)) {
      for (long offset : List.of(0L, SIZE / 2 - PAGE, SIZE - PAGE)) {
        MemorySegment host = pair.memoryOfA().asSlice(offset, PAGE);
        bar.fillPattern(offset, PAGE, ++seed);
        unless(Pattern.mismatch(host, seed) == PAGE, "the guest's stores at 0x%x are not", offset);
        pair.initiator().copy(peer.iova() + offset, memory.iova(), PAGE);
        var seen = Pattern.verify(memory, seed);
        unless(seen.isEmpty(), "B read from 0x%x: %s", offset, seen);
        Pattern.fill(memory, ++seed);
        pair.initiator().copy(memory.iova(), peer.iova() + offset, PAGE);
        unless(Pattern.mismatch(host, seed) == PAGE, "B's writes at 0x%x are not", offset);
        seen = bar.verifyPattern(offset, PAGE, seed);
        unless(seen.isEmpty(), "the guest loads at 0x%x: %s", offset, seen);
      }
      long end = peer.iova() + SIZE;
      pair.initiator()
          .expectFault(
              Descriptor.fill(-1, Long.BYTES).to(end).interrupt(), ErrorCode.WRITE_FAULT, end);
      return "8 GiB at IOVA 0x%x, a page at both ends and in the middle".formatted(peer.iova());
    }
  }
}
