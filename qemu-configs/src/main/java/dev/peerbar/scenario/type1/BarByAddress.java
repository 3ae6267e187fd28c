package dev.peerbar.scenario.type1;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.vfio.HotReset;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.MemoryDecoding;
import dev.peerbar.scenario.fixture.Refusals;
import java.time.Duration;
import java.util.List;

/**
 * A's memory BAR, which a program has mapped, put into a container by its address. The container
 * keeps the numbers of its pages (follow_fault_pfn of vfio_iommu_type1.c), and nobody tells it when
 * they are of no use for a while: the kernel cuts nobody off, the function does.
 */
final class BarByAddress {
  private static final long MIB = 1L << 20;

  private BarByAddress() {}

  static List<Scenario<?>> all() {
    return List.of(
        ContainerCase.of(
            "type1.bar",
            "map 1 MiB of A's memory BAR by its address",
            "B copies into it and out of it, and both ends see the same",
            BarByAddress::thereAndBack),
        ContainerCase.of(
            "type1.bar-unmap",
            "unmap A's memory BAR, and map it again",
            "B faults and nothing lands, then it copies again",
            BarByAddress::unmap),
        ContainerCase.of(
            "type1.bar-reset",
            "reset A (VFIO_DEVICE_RESET)",
            "unlike a DMABUF's, the mapping is not cut off: B copies on through it",
            BarByAddress::reset),
        ContainerCase.of(
                "type1.bar-hot-reset",
                "reset A and its bus, with the descriptors of groups",
                "EINVAL without A's group; then A is reset, and B copies on through the old mapping",
                BarByAddress::hotReset)
            // The kernel does not see the link of QEMU's root ports come up again after it.
            .only(setting -> setting.topology().equals(Topology.NAMES.getFirst())),
        ContainerCase.of(
            "type1.bar-memory-off",
            "clear A's Memory Space Enable for a while",
            "the mapping stays, but nobody answers: B faults; another is refused with EFAULT; then"
                + " the old one works",
            BarByAddress::memoryOff));
  }

  private static String thereAndBack(HbmPair pair, Legacy legacy) throws Exception {
    long iova = legacy.mapBar(MIB);
    legacy.checkCopy(iova);
    DmaRange back = legacy.a().allocate(Legacy.LENGTH);
    legacy.initiator().copy(iova, back.iova(), Legacy.LENGTH);
    var mismatch = Pattern.verify(back, pair.run().seed());
    unless(mismatch.isEmpty(), "what came back is wrong: %s", mismatch);
    long gone = legacy.container().unmap(iova, MIB);
    unless(gone == MIB, "0x%x bytes unmapped", gone);
    return "IOVA 0x%x".formatted(iova);
  }

  private static String unmap(HbmPair pair, Legacy legacy) throws Exception {
    long iova = legacy.mapBar(MIB);
    legacy.checkCopy(iova);
    long gone = legacy.container().unmap(iova, MIB);
    unless(gone == MIB, "0x%x bytes unmapped", gone);
    legacy.checkCutOff(iova);
    legacy.mapBarAt(iova, MIB);
    legacy.checkCopy(iova);
    return "IOVA 0x%x".formatted(iova);
  }

  private static String reset(HbmPair pair, Legacy legacy) throws Exception {
    long iova = legacy.mapBar(MIB);
    legacy.checkCopy(iova);
    int before = resets(legacy);
    Duration took = legacy.a().vfio().reset();
    pair.run().record("reset", took);
    int after = resets(legacy);
    unless(after == before + 1, "RESET_COUNT %d after %d", after, before);
    legacy.checkCopy(iova);
    return "RESET_COUNT " + after;
  }

  private static String hotReset(HbmPair pair, Legacy legacy) throws Exception {
    long iova = legacy.mapBar(MIB);
    legacy.checkCopy(iova);
    HotReset hotReset = new HotReset(legacy.a().vfio());
    int scratch = 0x5c7a7c4;
    legacy.a().bar(HbmRegisters.BAR).storeInt(HbmRegisters.SCRATCH, scratch);
    Refusals refusals =
        new Refusals()
            .refuse(Errno.EINVAL, "no group", () -> hotReset.make(List.of()))
            .refuse(
                Errno.EINVAL, "a container", () -> hotReset.make(List.of(legacy.container().fd())))
            .refuse(Errno.EBADF, "no descriptor", () -> hotReset.make(List.of(-1)));
    if (legacy.groupB() != legacy.groupA()) {
      refusals.refuse(
          Errno.EINVAL, "B's group", () -> hotReset.make(List.of(legacy.groupB().fd())));
    }
    String refused = refusals.seen();
    int kept = legacy.a().bar(HbmRegisters.BAR).loadInt(HbmRegisters.SCRATCH);
    unless(kept == scratch, "SCRATCH 0x%x", kept);
    hotReset.make(List.of(legacy.groupA().fd()));
    int cleared = legacy.a().bar(HbmRegisters.BAR).loadInt(HbmRegisters.SCRATCH);
    unless(cleared == 0, "SCRATCH 0x%x after the reset", cleared);
    legacy.checkCopy(iova);
    return refused;
  }

  private static String memoryOff(HbmPair pair, Legacy legacy) throws Exception {
    long iova = legacy.mapBar(MIB);
    legacy.checkCopy(iova);
    try (MemoryDecoding _ = MemoryDecoding.off(legacy.a().vfio())) {
      legacy.checkCutOff(iova);
      Refusals.refused(Errno.EFAULT, "mapping what is not there", () -> legacy.mapBar(MIB));
    }
    legacy.checkCopy(iova);
    return "IOVA 0x%x".formatted(iova);
  }

  private static int resets(Legacy legacy) throws Exception {
    return legacy.a().bar(HbmRegisters.BAR).loadInt(HbmRegisters.RESET_COUNT);
  }
}
