package dev.peerbar.scenario.dmabuf;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.Argument;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.guest.Syscall;
import dev.peerbar.lab.uapi.DmaBufIoctls;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf.VfioRegionDmaRange;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.BothEnds;
import dev.peerbar.scenario.fixture.Checksum;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.MemoryDecoding;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** What is where in the mappings of a DMABUF, and what outlives what. */
final class MapContents {
  private static final long PAGE = Mapped.PAGE;
  private static final int O_CLOEXEC_RDWR = 02000002;

  private MapContents() {}

  static List<Scenario<?>> all() {
    return List.of(
        on(
            "dmabuf.map.contents",
            "map a DMABUF of a part of A's memory",
            "guest and host see each other's stores there, and nothing around it changes",
            MapContents::contents),
        on(
            "dmabuf.map.large",
            "map all of A's memory as a DMABUF",
            "guest and host see each other's stores at both ends and in the middle",
            MapContents::large),
        on(
            "dmabuf.map.part",
            "map pages in the middle of a DMABUF, and its last one",
            "they are where they are in the DMABUF, not where it begins",
            MapContents::part),
        on(
            "dmabuf.map.ranges",
            "map a DMABUF of ranges that are out of order and overlap",
            "they lie one behind the other, and the page that two have is one",
            MapContents::ranges),
        on(
            "dmabuf.map.registers",
            "map a DMABUF of A's registers",
            "loads and stores reach the registers",
            MapContents::registers),
        on(
            "dmabuf.map.aliases",
            "map a DMABUF twice, a second one of the same range, and the BAR",
            "all four are the same memory, and each is there until it is unmapped itself",
            MapContents::aliases),
        on(
            "dmabuf.map.closed",
            "close the descriptor of a DMABUF that is mapped",
            "the mapping stays what it was, even after a reset of A; the kernel has the DMABUF",
            MapContents::closed),
        on(
            "dmabuf.map.name",
            "give a DMABUF that is mapped a name, and look into /proc/PID/maps",
            "its mapping is there by that name",
            MapContents::name),
        on(
            "dmabuf.map.import",
            "map a DMABUF that an IOAS has imported",
            "B's copies and the guest's stores meet there; either goes without the other",
            MapContents::imported));
  }

  private static Case<HbmPair> on(
      String name, String does, String expects, Case.Body<HbmPair> body) {
    return Case.on(HbmPair.KIND, name, does, expects, body).needing(MapFeature.MAPPING);
  }

  private static String contents(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    Pattern.fill(pair.memoryOfA(), seed);
    try (Mapped mapped = Mapped.of(pair)) {
      mapped.checkLoads(seed + 1);
      mapped.checkStores(seed + 2);
      long end = mapped.offset() + Mapped.LENGTH;
      for (long at : List.of(0L, mapped.offset() - 8, end, HbmPair.BAR_SIZE - 8)) {
        long word = pair.memoryOfA().get(ValueLayout.JAVA_LONG, at);
        unless(
            word == Pattern.word(seed, at / Long.BYTES),
            "A's memory changed at 0x%x: 0x%x",
            at,
            word);
      }
    }
    return "%d KiB each way at 0x%x".formatted(Mapped.LENGTH >> 10, Mapped.OFFSET);
  }

  private static String large(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    try (Mapped mapped = Mapped.of(pair, 0, HbmPair.BAR_SIZE)) {
      for (long at : List.of(0L, HbmPair.BAR_SIZE / 2, HbmPair.BAR_SIZE - PAGE)) {
        Pattern.fill(mapped.host().asSlice(at, PAGE), ++seed);
        var seen = mapped.memory().verifyPattern(at, PAGE, seed);
        unless(seen.isEmpty(), "the guest loads other bytes at 0x%x: %s", at, seen);
        mapped.memory().fillPattern(at, PAGE, ++seed);
        long mismatch = Pattern.mismatch(mapped.host().asSlice(at, PAGE), seed);
        unless(mismatch == PAGE, "the host sees other bytes at 0x%x", at + mismatch);
      }
    }
    return "%d MiB".formatted(HbmPair.BAR_SIZE >> 20);
  }

  private static String part(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    try (Mapped mapped = Mapped.of(pair)) {
      long last = Mapped.LENGTH - PAGE;
      try (GuestMemory middle = mapped.dmaBuf().map(17 * PAGE, 3 * PAGE);
          GuestMemory end = mapped.dmaBuf().map(last, PAGE)) {
        BothEnds.checkLoads(middle, mapped.host().asSlice(17 * PAGE, 3 * PAGE), seed + 1);
        BothEnds.checkStores(middle, mapped.host().asSlice(17 * PAGE, 3 * PAGE), seed + 2);
        BothEnds.checkLoads(end, mapped.host().asSlice(last, PAGE), seed + 3);
        BothEnds.checkStores(end, mapped.host().asSlice(last, PAGE), seed + 4);
        long differs = mapped.memory().compare(17 * PAGE, middle, 0, 3 * PAGE);
        unless(differs == 3 * PAGE, "the whole differs from its middle at 0x%x", differs);
      }
    }
    return "3 pages from the 17th, and the 64th of 64";
  }

  private static String ranges(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    List<VfioRegionDmaRange> ranges =
        List.of(
            new VfioRegionDmaRange(8L << 20, 2 * PAGE),
            new VfioRegionDmaRange(0, PAGE),
            new VfioRegionDmaRange((8L << 20) + PAGE, 3 * PAGE));
    try (DmaBuf dmaBuf =
            pair.deviceA().vfio().exportDmabuf(VfioPciRegion.BAR2, O_CLOEXEC_RDWR, ranges);
        GuestMemory all = dmaBuf.map();
        GuestMemory seam = dmaBuf.map(PAGE, 3 * PAGE)) {
      long at = 0;
      for (VfioRegionDmaRange range : ranges) {
        try (GuestMemory one = dmaBuf.map(at, range.length())) {
          var host = pair.memoryOfA().asSlice(range.offset(), range.length());
          BothEnds.checkLoads(one, host, ++seed);
          var seen = all.verifyPattern(at, range.length(), seed);
          unless(seen.isEmpty(), "the whole has other bytes at 0x%x: %s", at, seen);
          BothEnds.checkStores(one, host, ++seed);
        }
        at += range.length();
      }
      // The second page of the first range is the first of the third.
      all.storeLong(PAGE, seed);
      long alias = all.loadLong(3 * PAGE);
      unless(alias == seed, "0x%x in the page that two ranges have", alias);
      long differs = all.compare(PAGE, seam, 0, 3 * PAGE);
      unless(differs == 3 * PAGE, "a mapping across ranges differs at 0x%x", differs);
    }
    return "3 ranges, 6 pages";
  }

  private static String registers(HbmPair pair) throws Exception {
    int value = (int) pair.run().seed() | 1;
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(HbmRegisters.BAR, 0, PAGE);
        GuestMemory registers = dmaBuf.map()) {
      long id = registers.loadInt(HbmRegisters.ID);
      unless(id == HbmRegisters.ID_VALUE, "ID is 0x%x", id);
      registers.storeInt(HbmRegisters.SCRATCH, value);
      int scratch = pair.a().read(HbmRegisters.SCRATCH);
      unless(scratch == value, "SCRATCH is 0x%x after a store of 0x%x", scratch, value);
      return "ID 0x%x, SCRATCH 0x%x".formatted(id, scratch);
    }
  }

  private static String aliases(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    GuestMemory bar =
        pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR, Mapped.OFFSET, Mapped.LENGTH);
    try (Mapped first = Mapped.of(pair)) {
      try (Mapped other = Mapped.of(pair);
          GuestMemory again = first.dmaBuf().map()) {
        for (GuestMemory from : List.of(bar, first.memory(), other.memory(), again)) {
          from.fillPattern(0, Mapped.LENGTH, ++seed);
          for (GuestMemory to : List.of(bar, first.memory(), other.memory(), again)) {
            var seen = to.verifyPattern(0, Mapped.LENGTH, seed);
            unless(seen.isEmpty(), "they are not the same memory: %s", seen);
          }
        }
      }
      first.checkStores(seed + 1);
      bar.close();
      first.checkLoads(seed + 2);
    } finally {
      bar.close();
    }
    try (GuestMemory later =
        pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR, Mapped.OFFSET, Mapped.LENGTH)) {
      BothEnds.checkLoads(later, pair.memoryOfA().asSlice(Mapped.OFFSET, Mapped.LENGTH), seed + 3);
    }
    return "4 mappings of %d KiB".formatted(Mapped.LENGTH >> 10);
  }

  private static String closed(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    int before = pair.guest().system().dmaBufs().size();
    DmaBuf dmaBuf = Mapped.export(pair, Mapped.OFFSET, Mapped.LENGTH);
    try (GuestMemory memory = dmaBuf.map()) {
      dmaBuf.close();
      var host = pair.memoryOfA().asSlice(Mapped.OFFSET, Mapped.LENGTH);
      BothEnds.checkLoads(memory, host, seed + 1);
      int held = pair.guest().system().dmaBufs().size();
      unless(held == before + 1, "%d DMABUFs with the mapping, %d before", held, before);
      pair.deviceA().reset();
      BothEnds.checkLoads(memory, host, seed + 2);
      try (MemoryDecoding _ = MemoryDecoding.off(pair.deviceA().vfio())) {
        BothEnds.expectSigbus(memory, "while A's BARs are off");
      }
      BothEnds.checkStores(memory, host, seed + 3);
    }
    int after = pair.guest().system().dmaBufs().size();
    unless(after == before, "%d DMABUFs without the mapping, %d before", after, before);
    return "%d KiB, one reset".formatted(Mapped.LENGTH >> 10);
  }

  private static String name(HbmPair pair) throws Exception {
    String name = "peerbar-%x".formatted(pair.run().seed() & 0xffff);
    try (Mapped mapped = Mapped.of(pair);
        GuestMemory bar = pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR, 0, PAGE)) {
      pair.guest()
          .agent()
          .syscall(
              Syscall.IOCTL,
              Argument.of(mapped.dmaBuf().fd()),
              Argument.of(DmaBufIoctls.DMA_BUF_SET_NAME.number()),
              Argument.text(name));
      String line = areaAt(pair, mapped.memory());
      unless(line.contains("rw-s") && line.endsWith("/dmabuf:" + name), "%s", line);
      String barName = areaAt(pair, bar).replaceFirst("^.* ", "");
      return "/dmabuf:%s; the BAR is %s".formatted(name, barName);
    }
  }

  private static String areaAt(HbmPair pair, GuestMemory memory)
      throws IOException, UnexpectedException {
    String range = "%08x-%08x ".formatted(memory.address(), memory.address() + memory.length());
    return pair.guest()
        .system()
        .readText("/proc/self/maps")
        .lines()
        .filter(line -> line.startsWith(range))
        .findFirst()
        .orElseThrow(() -> new UnexpectedException("there is no %s".formatted(range)));
  }

  private static String imported(HbmPair pair) throws Exception {
    long seed = pair.run().seed();
    DmaRange ram = pair.allocate(Mapped.LENGTH, 0);
    try (Mapped mapped = Mapped.of(pair)) {
      Ioas.Mapping peer = pair.ioas().mapFile(mapped.dmaBuf());
      Pattern.fill(ram, seed + 1);
      pair.initiator().copy(ram.iova(), peer.iova(), Mapped.LENGTH);
      var seen = mapped.memory().verifyPattern(0, Mapped.LENGTH, seed + 1);
      unless(seen.isEmpty(), "the guest loads other bytes than B copied: %s", seen);
      mapped.checkStores(seed + 2);
      pair.initiator().checkCrc(peer.iova(), Mapped.LENGTH, Checksum.of(mapped.host()));
      try (GuestMemory other = mapped.dmaBuf().map()) {
        BothEnds.checkLoads(other, mapped.host(), seed + 3);
      }
      pair.initiator().checkCrc(peer.iova(), Mapped.LENGTH, Checksum.of(mapped.host()));
      pair.ioas().unmap(peer);
      mapped.checkStores(seed + 4);
    }
    return "%d KiB copied by B, CRC32C of what the guest stored".formatted(Mapped.LENGTH >> 10);
  }
}
