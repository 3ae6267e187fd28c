package dev.peerbar.scenario.p2p;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.Completion;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.uapi.IommuIoasMapFlag;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.List;

/** Where an import ends, so does what a peer reaches. */
final class Edges {
  private static final long PAGE = 4096;
  private static final long LENGTH = 16 * PAGE;

  private Edges() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmPair.KIND,
                "p2p.beyond-import",
                "B writes to the page after an import of A, and reads it",
                "a fault at its first byte each time, and no byte of A changes",
                Edges::beyond)
            .needing(GuestFeature.DMABUF_IMPORT),
        Case.on(
                HbmPair.KIND,
                "p2p.across-end",
                "B writes 8 pages to an import of A of which 3 are left",
                "a fault at the end of the import, and nothing of A changes beyond",
                Edges::across)
            .needing(GuestFeature.DMABUF_IMPORT),
        Case.on(
                HbmPair.KIND,
                "p2p.read-only",
                "B writes to an import of A that is for reading, and reads it",
                "a write fault at its first byte, and A's bytes unchanged; the read is right",
                Edges::readOnly)
            .needing(GuestFeature.DMABUF_IMPORT));
  }

  private static String beyond(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    long seed = pair.run().seed();
    MemorySegment a = pair.memoryOfA().asSlice(0, 2 * LENGTH);
    Pattern.fill(a, seed);
    // Far from what else is mapped, so that nothing follows it.
    try (DmaBuf buffer = pair.deviceA().vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      Ioas.Mapping mapping = pair.ioas().mapFileAt(buffer, 1L << 32);
      try {
        long end = mapping.iova() + mapping.length();
        pair.initiator()
            .expectFault(Initiator.copying(memory.iova(), end, PAGE), ErrorCode.WRITE_FAULT, end);
        pair.initiator()
            .expectFault(Initiator.copying(end, memory.iova(), PAGE), ErrorCode.READ_FAULT, end);
        unchanged(a, seed);
        return "write and read fault at 0x%x".formatted(end);
      } finally {
        pair.ioas().unmap(mapping);
      }
    }
  }

  private static String across(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    long seed = pair.run().seed();
    Pattern.fill(memory, seed);
    MemorySegment beyond = pair.memoryOfA().asSlice(LENGTH, LENGTH);
    Pattern.fill(beyond, seed + 1);
    pair.memoryOfA().asSlice(0, LENGTH).fill((byte) 0);
    try (DmaBuf buffer = pair.deviceA().vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      Ioas.Mapping mapping = pair.ioas().mapFileAt(buffer, 1L << 32);
      try {
        long end = mapping.iova() + mapping.length();
        long from = end - 3 * PAGE;
        HbmChannel channel = pair.initiator().channel();
        pair.initiator().restart();
        int entry = channel.submit(Initiator.copying(memory.iova(), from, 8 * PAGE));
        pair.initiator().awaitFault();
        Completion completion = channel.completion(entry);
        unless(
            completion.error() == ErrorCode.WRITE_FAULT.code()
                && pair.b().faultAddress() == end
                && completion.moved() == 3 * PAGE,
            "fault at 0x%x, the end is 0x%x, %s",
            pair.b().faultAddress(),
            end,
            completion);
        MemorySegment reached = pair.memoryOfA().asSlice(LENGTH - 3 * PAGE, 3 * PAGE);
        long mismatch = Pattern.mismatch(reached, seed);
        unless(mismatch == 3 * PAGE, "before the end it differs at 0x%x", mismatch);
        unchanged(beyond, seed + 1);
        return "3 pages moved, a fault at 0x%x".formatted(end);
      } finally {
        pair.ioas().unmap(mapping);
      }
    }
  }

  private static String readOnly(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    long seed = pair.run().seed();
    MemorySegment a = pair.memoryOfA().asSlice(0, LENGTH);
    Pattern.fill(a, seed);
    try (DmaBuf buffer = pair.deviceA().vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      Ioas.Mapping mapping =
          pair.ioas().mapFile(buffer.fd(), 0, LENGTH, EnumSet.of(IommuIoasMapFlag.READABLE), 0);
      try {
        pair.initiator()
            .expectFault(
                Initiator.copying(memory.iova(), mapping.iova(), LENGTH),
                ErrorCode.WRITE_FAULT,
                mapping.iova());
        pair.initiator()
            .expectFault(
                Descriptor.immediate(seed, Long.BYTES).to(mapping.iova() + PAGE),
                ErrorCode.WRITE_FAULT,
                mapping.iova() + PAGE);
        unchanged(a, seed);
        pair.initiator().restart();
        pair.initiator().copy(mapping.iova(), memory.iova(), LENGTH);
        var wrong = Pattern.verify(memory, seed);
        unless(wrong.isEmpty(), "what B read differs: %s", wrong);
        return "two write faults; 64 KiB read";
      } finally {
        pair.ioas().unmap(mapping);
      }
    }
  }

  private static void unchanged(MemorySegment memory, long seed) throws Exception {
    long mismatch = Pattern.mismatch(memory, seed);
    unless(mismatch == memory.byteSize(), "A's memory changed at 0x%x", mismatch);
  }
}
