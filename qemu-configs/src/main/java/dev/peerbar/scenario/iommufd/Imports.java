package dev.peerbar.scenario.iommufd;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.uapi.IommuIoasIovaRanges.IommuIovaRange;
import dev.peerbar.lab.uapi.IommuIoasMapFlag;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.AmdIommu;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Refusals;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Where and how an IOAS takes a DMABUF, and what B reaches then. */
final class Imports {
  private static final long PAGE = 4096;
  private static final long LENGTH = 1L << 20;

  /** Where nothing is put by chance. */
  private static final long PLACE = 1L << 36;

  private static final Set<IommuIoasMapFlag> READ = EnumSet.of(IommuIoasMapFlag.READABLE);
  private static final Set<IommuIoasMapFlag> WRITE = EnumSet.of(IommuIoasMapFlag.WRITEABLE);
  private static final Set<IommuIoasMapFlag> FIXED = EnumSet.allOf(IommuIoasMapFlag.class);

  private Imports() {}

  static List<Scenario<?>> all() {
    return List.of(
        of(
            "import-at",
            "import A's memory at a chosen IOVA",
            "B reaches it there, and faults on both sides",
            Imports::at),
        of(
            "import-part",
            "import some pages from the middle of a DMABUF",
            "B sees those pages of A's memory, and faults on both sides",
            Imports::part),
        of(
            "import-twice",
            "import one DMABUF at two IOVAs of an IOAS, then unmap one",
            "both are A's memory, and each goes by itself",
            Imports::twice),
        of(
                "import-two-ioases",
                "import one DMABUF into two IOASes, and attach B to one after the other",
                "B reaches A's memory in either, where that has it",
                Imports::twoIoases)
            .needing(AmdIommu.LATE_ATTACHMENT),
        of(
            "import-read-only",
            "import A's memory for reading only",
            "B reads it; its write faults and A's memory is as it was",
            Imports::readOnly),
        of(
            "import-write-only",
            "import A's memory for writing only",
            "B writes it, and what it is given to read there it cannot",
            Imports::writeOnly),
        of(
            "import-trapped",
            "import A's registers, which QEMU traps, and let B write there",
            "the kernel maps them, QEMU cannot: B faults and no register changes",
            Imports::trapped),
        of(
                "copy",
                "copy an import to another IOAS (IOMMU_IOAS_COPY), then unmap the first",
                "B reaches A's memory in the other, until a reset revokes both",
                Imports::copy)
            .needing(AmdIommu.LATE_ATTACHMENT),
        of(
                "copy-part",
                "copy some pages of an import to another IOAS, and what is not mapped",
                "B sees those pages there and nothing around them; what is not mapped is ENOENT",
                Imports::copyPart)
            .needing(AmdIommu.LATE_ATTACHMENT),
        of(
                "allowed-ranges",
                "allow a range of IOVAs (IOMMU_IOAS_ALLOW_IOVAS) and import into it until it is full",
                "imports go there, then ENOSPC; a chosen IOVA may be anywhere else",
                Imports::allowed)
            .needing(AmdIommu.LATE_ATTACHMENT));
  }

  private static Case<HbmPair> of(
      String name, String does, String expects, Case.Body<HbmPair> body) {
    return Case.on(HbmPair.KIND, "iommufd." + name, does, expects, body)
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  private static String at(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH)) {
      Ioas.Mapping mapping = pair.ioas().mapFileAt(dmaBuf, PLACE);
      try {
        unless(mapping.iova() == PLACE, "it is at 0x%x", mapping.iova());
        Reach.check(pair, PLACE, 0, memory);
        Reach.expectFault(pair, PLACE - Long.BYTES);
        Reach.expectFault(pair, PLACE + LENGTH);
      } finally {
        pair.ioas().unmap(mapping);
      }
    }
    Reach.expectFault(pair, PLACE);
    return "%d KiB at IOVA 0x%x".formatted(LENGTH >> 10, PLACE);
  }

  private static String part(HbmPair pair) throws Exception {
    long exported = HbmPair.BAR_SIZE / 4;
    long start = 3 * PAGE;
    long length = 5 * PAGE;
    DmaRange memory = pair.allocate(length, 0);
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, exported, LENGTH)) {
      Ioas.Mapping mapping = pair.ioas().mapFile(dmaBuf.fd(), start, length, FIXED, PLACE);
      try {
        Reach.check(pair, mapping.iova(), exported + start, memory);
        Reach.expectFault(pair, mapping.iova() - Long.BYTES);
        Reach.expectFault(pair, mapping.iova() + length);
      } finally {
        pair.ioas().unmap(mapping);
      }
    }
    return "%d KiB from 0x%x of the DMABUF".formatted(length >> 10, start);
  }

  private static String twice(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH)) {
      Ioas.Mapping first = pair.ioas().mapFile(dmaBuf);
      Ioas.Mapping second;
      try {
        second = pair.ioas().mapFile(dmaBuf);
        unless(first.iova() != second.iova(), "both are at 0x%x", first.iova());
        Reach.check(pair, first.iova(), 0, memory);
        Reach.check(pair, second.iova(), 0, memory);
      } finally {
        pair.ioas().unmap(first);
      }
      try {
        Reach.expectFault(pair, first.iova());
        Reach.check(pair, second.iova(), 0, memory);
      } finally {
        pair.ioas().unmap(second);
      }
      Reach.expectFault(pair, second.iova());
      return "at IOVA 0x%x and 0x%x".formatted(first.iova(), second.iova());
    }
  }

  private static String twoIoases(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH);
        OtherIoas other = OtherIoas.of(pair, memory)) {
      Ioas.Mapping first = pair.ioas().mapFile(dmaBuf);
      try {
        Ioas.Mapping second = other.keep(other.ioas().mapFileAt(dmaBuf, PLACE));
        Reach.check(pair, first.iova(), 0, memory);
        other.attach();
        Reach.check(pair, second.iova(), 0, memory);
        Reach.expectFault(pair, first.iova());
        other.back();
        Reach.check(pair, first.iova(), 0, memory);
        Reach.expectFault(pair, second.iova());
      } finally {
        pair.ioas().unmap(first);
      }
      return "at IOVA 0x%x of one and 0x%x of the other".formatted(first.iova(), PLACE);
    }
  }

  private static String readOnly(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(PAGE, 0);
    Pattern.fill(pair.memoryOfA().asSlice(0, PAGE), pair.run().seed());
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH)) {
      Ioas.Mapping mapping = pair.ioas().mapFile(dmaBuf.fd(), 0, LENGTH, READ, 0);
      try {
        // Before any read: what QEMU's IOMMU has looked up for one it refuses without a word.
        Reach.expectFault(pair, mapping.iova());
        pair.initiator().copy(mapping.iova(), memory.iova(), PAGE);
        var seen = Pattern.verify(memory, pair.run().seed());
        unless(seen.isEmpty(), "B read other bytes: %s", seen);
        Reach.expectFault(pair, mapping.iova());
      } finally {
        pair.ioas().unmap(mapping);
      }
    }
    long mismatch = Pattern.mismatch(pair.memoryOfA().asSlice(0, PAGE), pair.run().seed());
    unless(mismatch == PAGE, "A's memory changed at 0x%x", mismatch);
    return "a write fault before and after a page was read";
  }

  private static String writeOnly(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(PAGE, 0);
    Pattern.fill(memory, pair.run().seed());
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH)) {
      Ioas.Mapping mapping = pair.ioas().mapFile(dmaBuf.fd(), 0, LENGTH, WRITE, 0);
      try {
        pair.initiator().copy(memory.iova(), mapping.iova(), PAGE);
        // QEMU tells an endpoint that all it maps can be read, and refuses itself: without a word
        // as long as its IOMMU still knows what it has looked up for the write.
        pair.run().mayComplain(line -> refusedRead(line, mapping.iova()));
        pair.initiator()
            .expectFault(
                Descriptor.copy(PAGE).from(mapping.iova()).to(memory.iova()).interrupt(),
                ErrorCode.READ_FAULT,
                mapping.iova());
      } finally {
        pair.ioas().unmap(mapping);
      }
    }
    long mismatch = Pattern.mismatch(pair.memoryOfA().asSlice(0, PAGE), pair.run().seed());
    unless(mismatch == PAGE, "A's memory changed at 0x%x", mismatch);
    return "a page written, a read fault";
  }

  /** What QEMU's Intel IOMMU and its driver say of a read that is not allowed. */
  private static boolean refusedRead(String line, long iova) {
    String address = "0x%x".formatted(iova);
    return line.contains("[DMA Read NO_PASID]") && line.contains("fault addr " + address + " ")
        || line.contains("sspte permission error (iova=" + address + ",")
            && line.contains(", write=0,")
        || line.contains("detected translation failure") && line.endsWith("iova=" + address + ")")
        || line.contains("DMAR: DRHD: handling fault status reg ")
        || line.endsWith("New fault is not recorded due to compression of faults");
  }

  private static String trapped(HbmPair pair) throws Exception {
    pair.run().mayComplain(line -> line.endsWith("iommu map to non memory area 0"));
    try (Import peer = pair.importOfA(HbmRegisters.BAR, 0, PAGE)) {
      Reach.expectFault(pair, peer.iova() + HbmRegisters.SCRATCH - 4);
      int scratch = pair.a().read(HbmRegisters.SCRATCH);
      unless(scratch == 0, "A's SCRATCH is 0x%x", scratch);
      return "a write fault at IOVA 0x%x".formatted(peer.iova() + HbmRegisters.SCRATCH - 4);
    }
  }

  private static String copy(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    try (OtherIoas other = OtherIoas.of(pair, memory)) {
      Ioas.Mapping copied;
      try (Import peer = pair.importOfA(LENGTH)) {
        copied = other.keep(other.ioas().copy(pair.ioas(), peer.iova(), LENGTH));
        Reach.check(pair, peer.iova(), 0, memory);
      }
      other.attach();
      Reach.check(pair, copied.iova(), 0, memory);
      pair.deviceA().vfio().reset();
      Reach.expectFault(pair, copied.iova());
      return "at IOVA 0x%x of the other".formatted(copied.iova());
    }
  }

  private static String copyPart(HbmPair pair) throws Exception {
    long start = 3 * PAGE;
    long length = 5 * PAGE;
    Ioas ioas = pair.ioas();
    DmaRange memory = pair.allocate(length, 0);
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH);
        OtherIoas other = OtherIoas.of(pair, memory)) {
      Ioas.Mapping whole = ioas.mapFileAt(dmaBuf, PLACE);
      try {
        Ioas.Mapping part = other.keep(other.ioas().copyAt(ioas, PLACE + start, length));
        // As long as functions reach it, what is mapped there is whole pages.
        String seen =
            new Refusals()
                .refuse(Errno.ENOENT, "what is not mapped", () -> ioas.copy(ioas, 2 * PLACE, PAGE))
                .refuse(
                    Errno.ENOENT,
                    "the last page and one more",
                    () -> ioas.copy(ioas, PLACE + LENGTH - PAGE, 2 * PAGE))
                .refuse(Errno.EINVAL, "length 0", () -> ioas.copy(ioas, PLACE, 0))
                .refuse(Errno.EINVAL, "half a page", () -> ioas.copy(ioas, PLACE, PAGE / 2))
                .seen();
        other.attach();
        Reach.check(pair, part.iova(), start, memory);
        Reach.expectFault(pair, part.iova() - Long.BYTES);
        Reach.expectFault(pair, part.iova() + length);
        return "%d KiB from 0x%x; %s".formatted(length >> 10, start, seen);
      } finally {
        ioas.unmap(whole);
      }
    }
  }

  private static String allowed(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH);
        OtherIoas other = OtherIoas.of(pair, memory)) {
      Ioas ioas = other.attach().ioas();
      // Imports are where their addresses in the BAR are modulo the size of a large page.
      ioas.allow(List.of(new IommuIovaRange(PLACE, PLACE + 2 * LENGTH - 1)));
      Ioas.Mapping inside = other.keep(ioas.mapFile(dmaBuf));
      unless(
          inside.iova() >= PLACE && inside.iova() + LENGTH <= PLACE + 2 * LENGTH,
          "it is at 0x%x",
          inside.iova());
      Reach.check(pair, inside.iova(), 0, memory);
      Ioas.Mapping next = other.keep(ioas.mapFile(dmaBuf));
      unless(
          next.iova() >= PLACE
              && next.iova() + LENGTH <= PLACE + 2 * LENGTH
              && next.iova() != inside.iova(),
          "the next is at 0x%x",
          next.iova());
      Refusals refusals = new Refusals();
      refusals.refuse(Errno.ENOSPC, "a third", () -> ioas.mapFile(dmaBuf));
      other.keep(ioas.mapFileAt(dmaBuf, 2 * PLACE));
      Reach.check(pair, 2 * PLACE, 0, memory);
      refusals
          .refuse(
              Errno.EADDRINUSE,
              "where interrupts are",
              () -> ioas.allow(List.of(new IommuIovaRange(0xfee0_0000L, 0xfeef_ffffL))))
          .refuse(
              Errno.EINVAL, "an empty range", () -> ioas.allow(List.of(new IommuIovaRange(1, 1))))
          .refuse(
              Errno.EINVAL,
              "ranges that overlap",
              () ->
                  ioas.allow(
                      List.of(
                          new IommuIovaRange(0x1000, 0x2fff), new IommuIovaRange(0x2000, 0x3fff))))
          .refuse(Errno.ENOSPC, "a third, as before", () -> ioas.mapFile(dmaBuf));
      ioas.allow(List.of());
      Ioas.Mapping anywhere = other.keep(ioas.mapFile(dmaBuf));
      Reach.check(pair, anywhere.iova(), 0, memory);
      return "at 0x%x and 0x%x; %s".formatted(inside.iova(), next.iova(), refusals.seen());
    }
  }
}
