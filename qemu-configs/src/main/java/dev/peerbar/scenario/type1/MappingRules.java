package dev.peerbar.scenario.type1;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.uapi.VfioDmaMap.Flag;
import dev.peerbar.lab.uapi.VfioDmaUnmap;
import dev.peerbar.lab.vfio.VfioContainer;
import dev.peerbar.lab.vfio.VfioContainer.Type;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.Refusals;
import java.util.List;
import java.util.Set;

/**
 * What can be mapped in a container, and what of it unmapped (vfio_dma_do_map and vfio_dma_do_unmap
 * of vfio_iommu_type1.c).
 */
final class MappingRules {
  private static final long PAGE = 4096;
  private static final long LENGTH = Legacy.LENGTH;

  /** Where x86 has its interrupts: no function may have it for memory. */
  private static final long INTERRUPTS = 0xfee00000L;

  private MappingRules() {}

  static List<Scenario<?>> all() {
    return List.of(
        ContainerCase.of(
            "type1.map-refused",
            "map what overlaps, is no memory, is not aligned, empty, beyond or without rights",
            "EEXIST, EFAULT, EINVAL or EOVERFLOW; what is mapped goes on working",
            MappingRules::refused),
        ContainerCase.of(
            "type1.read-only",
            "map guest memory that B may only read",
            "B reads it; its write faults, and changes nothing",
            MappingRules::readOnly),
        ContainerCase.of(
            "type1.unmap-v2",
            "unmap parts, neighbours and nothing, by the rules of v2",
            "EINVAL for a part, and it stays; two at once, and nothing, are fine",
            MappingRules::unmapV2),
        ContainerCase.of(
            "type1.unmap-v1",
            "unmap parts by the rules of v1",
            "from the middle nothing goes; from the first byte on all of it",
            Type.TYPE1,
            MappingRules::unmapV1),
        ContainerCase.of(
            "type1.unmap-all",
            "unmap all at once while B works",
            "all bytes go; B cannot even fetch a descriptor, and faults there",
            MappingRules::unmapAll));
  }

  private static String refused(HbmPair pair, Legacy legacy) throws Exception {
    VfioContainer container = legacy.container();
    long iova = legacy.mapBar(LENGTH);
    long free = container.room(LENGTH);
    long address = legacy.bar().at(0, LENGTH);
    Set<Flag> both = Legacy.READ_WRITE;
    Refusals refusals = new Refusals();
    long beyond = container.ranges().getLast().last() + 1;
    // Page tables of six levels, as AMD's, reach all.
    if (beyond != 0) {
      refusals.refuse(
          Errno.EINVAL,
          "beyond the IOMMU's addresses",
          () -> container.map(both, address, beyond, PAGE));
    }
    String seen =
        refusals
            .refuse(Errno.EEXIST, "the same", () -> container.map(both, address, iova, LENGTH))
            .refuse(
                Errno.EEXIST,
                "an overlap",
                () -> container.map(both, address, iova + LENGTH - PAGE, LENGTH))
            .refuse(Errno.EINVAL, "no right", () -> container.map(Set.of(), address, free, LENGTH))
            .refuse(Errno.EINVAL, "no length", () -> container.map(both, address, free, 0))
            .refuse(Errno.EINVAL, "half a page", () -> container.map(both, address, free, PAGE / 2))
            .refuse(
                Errno.EINVAL,
                "an odd IOVA",
                () -> container.map(both, address, free + PAGE / 2, PAGE))
            .refuse(
                Errno.EINVAL,
                "an odd address",
                () -> container.map(both, address + PAGE / 2, free, PAGE))
            .refuse(
                Errno.EOVERFLOW,
                "beyond all addresses",
                () -> container.map(both, address, -PAGE, 2 * PAGE))
            .refuse(
                Errno.EINVAL,
                "where interrupts are",
                () -> container.map(both, address, INTERRUPTS, PAGE))
            .refuse(Errno.EFAULT, "no memory", () -> container.map(both, PAGE, free, PAGE))
            .seen();
    legacy.checkCopy(iova);
    return seen;
  }

  private static String readOnly(HbmPair pair, Legacy legacy) throws Exception {
    try (GuestMemory memory = pair.guest().allocate(LENGTH)) {
      memory.fillPattern(0, LENGTH, pair.run().seed());
      long iova = legacy.container().room(LENGTH);
      legacy.container().map(Set.of(Flag.READ), memory.address(), iova, LENGTH);
      DmaRange back = legacy.a().allocate(LENGTH);
      legacy.initiator().copy(iova, back.iova(), LENGTH);
      var read = Pattern.verify(back, pair.run().seed());
      unless(read.isEmpty(), "what B read is wrong: %s", read);
      legacy
          .initiator()
          .expectFault(
              Initiator.copying(legacy.memory().iova(), iova, LENGTH), ErrorCode.WRITE_FAULT, iova);
      var kept = memory.verifyPattern(0, LENGTH, pair.run().seed());
      unless(kept.isEmpty(), "memory that may only be read has changed: %s", kept);
      long gone = legacy.container().unmap(iova, LENGTH);
      unless(gone == LENGTH, "0x%x bytes unmapped", gone);
      return "IOVA 0x%x".formatted(iova);
    }
  }

  private static String unmapV2(HbmPair pair, Legacy legacy) throws Exception {
    VfioContainer container = legacy.container();
    long iova = container.room(3 * LENGTH);
    legacy.mapBarAt(iova, LENGTH);
    legacy.mapBarAt(iova + LENGTH, LENGTH);
    String seen =
        new Refusals()
            .refuse(Errno.EINVAL, "its start", () -> container.unmap(iova, PAGE))
            .refuse(Errno.EINVAL, "its end", () -> container.unmap(iova + PAGE, LENGTH - PAGE))
            .refuse(Errno.EINVAL, "one and a half", () -> container.unmap(iova, LENGTH + PAGE))
            .refuse(Errno.EINVAL, "no length", () -> container.unmap(iova, 0))
            .refuse(Errno.EOVERFLOW, "too much", () -> container.unmap(iova, -PAGE))
            .refuse(
                Errno.EINVAL,
                "all, from somewhere on",
                () -> container.unmap(new VfioDmaUnmap(VfioDmaUnmap.ALL, iova, 0)))
            .seen();
    legacy.checkCopy(iova);
    legacy.checkCopy(iova + LENGTH);
    long gone = container.unmap(iova, 3 * LENGTH);
    unless(gone == 2 * LENGTH, "0x%x bytes unmapped of two mappings", gone);
    long nothing = container.unmap(iova, 3 * LENGTH);
    unless(nothing == 0, "0x%x bytes unmapped of nothing", nothing);
    legacy.checkCutOff(iova);
    legacy.checkCutOff(iova + LENGTH);
    return seen;
  }

  private static String unmapV1(HbmPair pair, Legacy legacy) throws Exception {
    VfioContainer container = legacy.container();
    long iova = legacy.mapBar(LENGTH);
    long middle = container.unmap(iova + PAGE, PAGE);
    unless(middle == 0, "0x%x bytes unmapped from the middle", middle);
    legacy.checkCopy(iova);
    long start = container.unmap(iova, PAGE);
    unless(start == LENGTH, "0x%x bytes unmapped from the first byte on", start);
    legacy.checkCutOff(iova);
    return "IOVA 0x%x".formatted(iova);
  }

  private static String unmapAll(HbmPair pair, Legacy legacy) throws Exception {
    long iova = legacy.mapBar(LENGTH);
    legacy.checkCopy(iova);
    long gone = legacy.container().unmapAll();
    long ring = legacy.initiator().channel().memory().iova();
    int entry =
        legacy.initiator().channel().submit(Initiator.copying(legacy.memory().iova(), iova, PAGE));
    legacy.initiator().awaitFault();
    int error = legacy.initiator().channel().error();
    long at = legacy.b().faultAddress();
    unless(
        error == ErrorCode.READ_FAULT.code() && at == ring + 64L * entry,
        "error %d, fault at 0x%x; the entry is at 0x%x",
        error,
        at,
        ring + 64L * entry);
    long nothing = legacy.container().unmapAll();
    unless(gone > LENGTH && nothing == 0, "0x%x bytes unmapped, then 0x%x", gone, nothing);
    return "%d KiB unmapped".formatted(gone >> 10);
  }
}
