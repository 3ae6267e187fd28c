package dev.peerbar.scenario.flr;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.fixture.Checksum;
import dev.peerbar.scenario.fixture.HbmPair;
import java.lang.foreign.MemorySegment;

/** An exporter is upset while nobody uses it. */
record UpsetExporter(Upset upset) {
  /** Of what is lent, in bytes. */
  private static final long LENGTH = 2L << 20;

  /** More of A's memory behind it, where nothing may land. */
  private static final long WITNESS = 1L << 20;

  private static final long COPY = 64L << 10;

  Case<HbmPair> scenario() {
    return upset.scenario("", upset.to("A"), expects(), this::run);
  }

  private String expects() {
    String registers = upset.resets() ? "A's registers are cleared" : "A's registers are kept";
    return upset.revokes()
        ? "B's mapping is dead, its faults change nothing; "
            + registers
            + "; the same DMABUF can be mapped again"
        : "vfio-pci revokes nothing, B's mapping works on; " + registers;
  }

  private String run(HbmPair pair) throws Exception {
    Function a = Function.a(pair);
    DmaRange memory = pair.allocate(COPY, 0);
    Pattern.fill(memory, pair.run().seed());
    MemorySegment seen = pair.memoryOfA().asSlice(0, LENGTH + WITNESS);
    Pattern.fill(seen, ~pair.run().seed());
    Registers registers = Registers.use(a);
    try (Lent lent = Lent.of(pair, LENGTH)) {
      works(pair, lent, memory);
      long before = Checksum.of(seen);
      upset.begin(a);
      if (upset.lasts()) {
        meanwhile(pair, lent, memory);
        upset.end(a);
      }
      registers.check(upset.resets(), upset.counted());
      if (upset.revokes()) {
        lent.expectCutOff(memory, COPY);
        lent.mapAgain();
      }
      unless(Checksum.of(seen) == before, "A's memory changed");
      long late = pair.a().drainInterrupts();
      unless(late == 0, "A signalled %d interrupts", late);
      works(pair, lent, memory);
    }
    registers.checkWorks(upset.resets());
    try (Lent fresh = Lent.of(pair, LENGTH)) {
      works(pair, fresh, memory);
    }
    return "RESET_COUNT " + registers.resets();
  }

  private void meanwhile(HbmPair pair, Lent lent, DmaRange memory) throws Exception {
    if (upset.revokes()) {
      lent.expectCutOff(memory, COPY);
      lent.expectRefused();
    } else {
      works(pair, lent, memory);
    }
  }

  /** A copy by B is right. It leaves A's memory as every such copy does. */
  private static void works(HbmPair pair, Lent lent, DmaRange memory) throws Exception {
    MemorySegment target = pair.memoryOfA().asSlice(0, COPY);
    target.fill((byte) 0);
    pair.initiator().copy(memory.iova(), lent.iova(), COPY);
    long right = Pattern.mismatch(target, pair.run().seed());
    unless(right == COPY, "a copy by B is wrong at 0x%x", right);
  }
}
