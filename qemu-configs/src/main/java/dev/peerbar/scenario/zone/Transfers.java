package dev.peerbar.scenario.zone;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.disk.BlockDevice;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem.MapFlag;
import dev.peerbar.lab.guest.GuestSystem.Protection;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf.VfioRegionDmaRange;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Refusals;
import dev.peerbar.scenario.fixture.nvme.HbmAndDisk;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;

/** What a mapping with struct pages is good for, and what it is not. */
final class Transfers {
  private static final long PAGE = Paged.PAGE;
  private static final int SIZES = 24;

  private Transfers() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmPair.KIND,
                "zone.none",
                "export a DMABUF with struct pages (flag 1) where the kernel knows no flag",
                "EINVAL, for every flag there may be",
                Transfers::none)
            .needing(ZoneFeature.NO_PAGES),
        on(
            "zone.contents",
            "map a DMABUF with struct pages, twice, and a part of it",
            "guest and host see each other's stores there",
            Transfers::contents),
        on(
            "zone.refusals",
            "map one of several ranges, one privately, one beyond its end; export by other flags",
            "EINVAL",
            Transfers::refusals),
        on(
            "zone.direct",
            "read and write the disk past the page cache (O_DIRECT), by a mapping of A's memory",
            "every byte arrives, in A's memory and on the disk",
            Transfers::direct),
        on(
            "zone.direct-sizes",
            "do so with %d lengths and places, from one block to 1 MiB".formatted(SIZES),
            "every byte arrives, and nothing around it changes",
            Transfers::sizes),
        on(
            "zone.direct-without",
            "do so by a mapping of the BAR, and by one of a DMABUF without struct pages",
            "EFAULT, and nothing is moved",
            Transfers::without),
        on(
            "zone.long-term",
            "map the mapping into an IOAS by its address",
            "EREMOTEIO: nobody may pin it for long; the DMABUF itself can be imported",
            Transfers::longTerm));
  }

  static Case<HbmAndDisk> on(String name, String does, String expects, Case.Body<HbmAndDisk> body) {
    return Case.on(HbmAndDisk.KIND, name, does, expects, body).needing(ZoneFeature.PAGES);
  }

  private static String none(HbmPair pair) throws Exception {
    Refusals refusals = new Refusals();
    for (int bit = 0; bit < Integer.SIZE; bit++) {
      int flags = 1 << bit;
      refusals.refuse(Errno.EINVAL, "0x%x".formatted(flags), () -> exportWith(pair, flags));
    }
    return refusals.seen();
  }

  private static void exportWith(HbmPair pair, int flags) throws IOException {
    pair.deviceA().vfio().exportDmabuf(asking(flags)).close();
  }

  private static VfioDeviceFeatureDmaBuf asking(int flags) {
    return new VfioDeviceFeatureDmaBuf(
        VfioPciRegion.bar(HbmRegisters.MEMORY_BAR),
        Paged.O_CLOEXEC_RDWR,
        flags,
        List.of(new VfioRegionDmaRange(0, Paged.UNIT)));
  }

  private static String contents(HbmAndDisk pair) throws Exception {
    long seed = pair.run().seed();
    try (Paged paged = Paged.of(pair);
        GuestMemory again = paged.dmaBuf().map();
        GuestMemory part = paged.dmaBuf().map(5 * PAGE, 3 * PAGE)) {
      paged.checkBothWays(seed + 1);
      Paged.checkBothWays(again, paged.host(), seed + 2);
      Paged.checkBothWays(part, paged.host().asSlice(5 * PAGE, 3 * PAGE), seed + 3);
      long differs = paged.memory().compare(0, again, 0, Paged.LENGTH);
      unless(differs == Paged.LENGTH, "two mappings differ at 0x%x", differs);
    }
    return "%d MiB at 0x%x".formatted(Paged.LENGTH >> 20, Paged.OFFSET);
  }

  private static String refusals(HbmAndDisk pair) throws Exception {
    var system = pair.guest().system();
    var vfio = pair.device().vfio();
    try (DmaBuf two =
            ZoneFeature.export(
                vfio,
                List.of(
                    new VfioRegionDmaRange(0, Paged.UNIT),
                    new VfioRegionDmaRange(2 * Paged.UNIT, Paged.UNIT)));
        Paged paged = Paged.of(pair)) {
      String seen =
          new Refusals()
              .refuse(Errno.EINVAL, "to map two ranges", two::map)
              .refuse(Errno.EINVAL, "to map the first of two", () -> two.map(0, PAGE))
              .refuse(
                  Errno.EINVAL,
                  "private",
                  () ->
                      system.mmap(
                          PAGE,
                          Protection.READ_WRITE,
                          EnumSet.of(MapFlag.PRIVATE),
                          paged.dmaBuf().fd(),
                          0))
              .refuse(Errno.EINVAL, "beyond its end", () -> paged.dmaBuf().map(PAGE, Paged.LENGTH))
              .refuse(Errno.EINVAL, "flag 2", () -> vfio.exportDmabuf(asking(2)).close())
              .refuse(
                  Errno.EINVAL,
                  "flag 1 and the last",
                  () -> vfio.exportDmabuf(asking(1 << 31 | 1)).close())
              .seen();
      paged.checkBothWays(pair.run().seed());
      return seen;
    }
  }

  private static String direct(HbmAndDisk pair) throws Exception {
    try (Paged paged = Paged.of(pair)) {
      paged.checkTransfers(pair.run().seed());
    }
    return "%d MiB each way".formatted(Paged.LENGTH >> 20);
  }

  private static String sizes(HbmAndDisk pair) throws Exception {
    Random random = pair.run().random();
    long blocks = 0;
    try (Paged paged = Paged.of(pair);
        BlockDevice disk = pair.drive().open()) {
      for (int i = 0; i < SIZES; i++) {
        long length = (1L + random.nextLong(1L << random.nextInt(12))) * HbmAndDisk.BLOCK;
        long at = random.nextLong((Paged.LENGTH - length) / HbmAndDisk.BLOCK) * HbmAndDisk.BLOCK;
        long position =
            random.nextLong((HbmAndDisk.DISK - length) / HbmAndDisk.BLOCK) * HbmAndDisk.BLOCK;
        Pattern.fill(aroundOf(pair), pair.run().seed());
        paged.checkTransfer(disk, new Paged.Transfer(at, position, length), random.nextLong());
        checkAround(pair, at, length);
        blocks += length / HbmAndDisk.BLOCK;
      }
    }
    return "%d transfers each way, %d blocks".formatted(SIZES, blocks);
  }

  /** The DMABUF, a page before it and one behind. */
  private static MemorySegment aroundOf(HbmAndDisk pair) {
    return pair.memoryOfA().asSlice(Paged.OFFSET - PAGE, Paged.LENGTH + 2 * PAGE);
  }

  /** A's memory has its pattern right before and right behind a part of the DMABUF. */
  private static void checkAround(HbmAndDisk pair, long start, long length) throws Exception {
    for (long at : new long[] {PAGE + start - Long.BYTES, PAGE + start + length}) {
      long word = aroundOf(pair).get(ValueLayout.JAVA_LONG, at);
      long expected = Pattern.word(pair.run().seed(), at / Long.BYTES);
      unless(word == expected, "0x%x beside a transfer of 0x%x bytes", word, length);
    }
  }

  private static String without(HbmAndDisk pair) throws Exception {
    long seed = pair.run().seed();
    var vfio = pair.device().vfio();
    Pattern.fill(pair.memoryOfA(), seed);
    pair.disk().fill(0, Paged.UNIT, seed + 1);
    long before = pair.disk().checksum();
    try (BlockDevice disk = pair.drive().open();
        DmaBuf plain = vfio.exportDmabuf(HbmRegisters.MEMORY_BAR, 0, Paged.UNIT);
        GuestMemory mapped = plain.map();
        GuestMemory bar = vfio.mmapBar(HbmRegisters.MEMORY_BAR, 0, Paged.UNIT)) {
      Refusals refusals = new Refusals();
      for (GuestMemory memory : List.of(bar, mapped)) {
        memory.loadLong(0);
        refusals
            .refuse(Errno.EFAULT, "to read", () -> disk.read(0, memory, 0, Paged.UNIT))
            .refuse(Errno.EFAULT, "to write", () -> disk.write(0, memory, 0, Paged.UNIT));
      }
      String seen = refusals.seen();
      long mismatch = Pattern.mismatch(pair.memoryOfA(), seed);
      unless(mismatch == HbmAndDisk.BAR_SIZE, "A's memory changed at 0x%x", mismatch);
      unless(pair.disk().checksum() == before, "the disk changed");
      return seen;
    }
  }

  private static String longTerm(HbmAndDisk pair) throws Exception {
    try (Paged paged = Paged.of(pair)) {
      Refusals refusals =
          new Refusals()
              .refuse(
                  Errno.EREMOTEIO, "before it was touched", () -> pair.ioas().map(paged.memory()));
      paged.checkBothWays(pair.run().seed());
      String seen =
          refusals
              .refuse(Errno.EREMOTEIO, "afterwards", () -> pair.ioas().map(paged.memory()))
              .seen();
      pair.ioas().unmap(pair.ioas().mapFile(paged.dmaBuf()));
      paged.checkTransfers(pair.run().seed());
      return seen;
    }
  }
}
