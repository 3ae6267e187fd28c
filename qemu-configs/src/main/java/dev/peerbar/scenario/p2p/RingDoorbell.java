package dev.peerbar.scenario.p2p;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Initiator;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A function tells another, without a processor between them, that work waits. */
public final class RingDoorbell implements Scenario<HbmPair> {
  private static final int CHANNEL = 1;
  private static final int ENTRIES = 32;
  private static final long LENGTH = 4096;
  private static final long OFFSET = HbmPair.BAR_SIZE - LENGTH;

  @Override
  public Description description() {
    return Description.of(
            "p2p.doorbell",
            "B rings A's doorbell through a DMABUF of its page",
            "A runs the descriptor that waited in its ring")
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.KIND;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    long pattern = pair.run().seed();
    HbmChannel waiting = pair.a().channel(CHANNEL, ENTRIES).enable();
    int entry = waiting.prepare(Descriptor.fill(pattern, LENGTH).toLocal(OFFSET).interrupt());
    try (Import page =
        pair.importOfA(HbmRegisters.BAR, HbmRegisters.DOORBELLS, HbmRegisters.DOORBELLS_LENGTH)) {
      long tail = page.iova() + waiting.doorbell() - HbmRegisters.DOORBELLS;
      pair.initiator().run(Descriptor.immediate(waiting.tail(), Integer.BYTES).to(tail));
      unless(waiting.awaitInterrupt(Initiator.LIMIT), "A raised no interrupt");
      unless(waiting.completion(entry).done(), "A: %s", waiting.completion(entry));
      int readBack = pair.a().read(waiting.doorbell());
      unless(readBack == waiting.tail(), "TAIL reads back %d", readBack);
      MemorySegment filled = pair.memoryOfA().asSlice(OFFSET, LENGTH);
      long seen = filled.get(ValueLayout.JAVA_LONG, LENGTH - Long.BYTES);
      unless(seen == pattern, "A's memory has 0x%x", seen);
      return "B stored %d at IOVA 0x%x, A filled 4 KiB and raised its interrupt"
          .formatted(waiting.tail(), tail);
    }
  }
}
