package dev.peerbar.scenario.bar;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.AddressSpace;
import dev.peerbar.lab.guest.AddressSpace.Area;
import dev.peerbar.lab.guest.AddressSpace.Move;
import dev.peerbar.lab.guest.Child;
import dev.peerbar.lab.guest.GuestFaultException.Signal;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.MapFlag;
import dev.peerbar.lab.guest.GuestSystem.Protection;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.Faults;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Refusals;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** What a program can do with its mapping of a BAR, and what it is to it. */
final class ChangeMapping {
  private static final long PAGE = 4096;
  private static final long LENGTH = 4 * PAGE;
  private static final Set<MapFlag> SHARED = EnumSet.of(MapFlag.SHARED);

  private ChangeMapping() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
            HbmPair.KIND,
            "bar.map-twice",
            "map A's memory BAR twice",
            "what is stored through one mapping is loaded through the other, and outlives either",
            ChangeMapping::twice),
        Case.on(
            HbmPair.KIND,
            "bar.map-fixed",
            "map A's memory BAR over other memory (MAP_FIXED)",
            "it is A's memory from then on, and the memory around it is as it was",
            ChangeMapping::fixed),
        Case.on(
            HbmPair.KIND,
            "bar.map-read-only",
            "map A's memory BAR for reading",
            "loads work; a store is SIGSEGV, and A's memory is as it was",
            ChangeMapping::readOnly),
        Case.on(
            HbmPair.KIND,
            "bar.mprotect",
            "take rights from a page of a mapping, and give them back",
            "a store or load without its right is SIGSEGV, the pages beside it are not touched",
            ChangeMapping::protect),
        Case.on(
            HbmPair.KIND,
            "bar.mremap",
            "move a mapping of A's memory BAR, shrink it, let it grow",
            "it can be moved and shrunk, and is A's memory; to grow is EFAULT",
            ChangeMapping::remap),
        Case.on(
                HbmPair.KIND,
                "bar.map-name",
                "look for a mapping of A's memory BAR in /proc/PID/maps",
                "it is there with its length and rights, and names A",
                ChangeMapping::name)
            .needing(GuestFeature.IOMMUFD),
        Case.on(
            HbmPair.KIND,
            "bar.fork",
            "fork with a mapping of A's memory BAR",
            "the child loads and stores A's memory, and the parent's mapping stays when it ends",
            ChangeMapping::child));
  }

  private static String twice(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    long seed = pair.run().seed();
    try (GuestMemory other = vfio.mmapBar(HbmRegisters.MEMORY_BAR, PAGE, LENGTH)) {
      try (GuestMemory one = vfio.mmapBar(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
        unless(one.address() != other.address(), "both are at 0x%x", one.address());
        one.fillPattern(PAGE, LENGTH - PAGE, seed);
        var seen = other.verifyPattern(0, LENGTH - PAGE, seed);
        unless(seen.isEmpty(), "through the other: %s", seen);
        other.fillPattern(0, LENGTH - PAGE, seed + 1);
        seen = one.verifyPattern(PAGE, LENGTH - PAGE, seed + 1);
        unless(seen.isEmpty(), "through the first: %s", seen);
      }
      var seen = other.verifyPattern(0, LENGTH - PAGE, seed + 1);
      unless(seen.isEmpty(), "after the first has gone: %s", seen);
    }
    return "%d KiB both ways".formatted((LENGTH - PAGE) >> 10);
  }

  private static String fixed(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    long seed = pair.run().seed();
    Pattern.fill(pair.memoryOfA().asSlice(PAGE, PAGE), seed);
    try (GuestMemory around = pair.guest().allocate(3 * PAGE)) {
      around.fillPattern(0, 3 * PAGE, seed + 1);
      GuestMemory middle = new GuestMemory(pair.guest().system(), around.address() + PAGE, PAGE);
      new AddressSpace(pair.guest())
          .replace(middle, vfio.fd(), vfio.region(VfioPciRegion.BAR2).offset() + PAGE);
      var seen = middle.verifyPattern(0, PAGE, seed);
      unless(seen.isEmpty(), "not A's memory: %s", seen);
      storeAndSee(pair, middle, 0, PAGE, ~seed);
      seen = around.verifyPattern(0, PAGE, seed + 1);
      unless(seen.isEmpty(), "before it: %s", seen);
      for (long at : List.of(2 * PAGE, 3 * PAGE - Long.BYTES)) {
        long word = around.loadLong(at);
        long expected = Pattern.word(seed + 1, at / Long.BYTES);
        unless(word == expected, "behind it 0x%x instead of 0x%x", word, expected);
      }
    }
    return "a page of A's memory between two of the guest's";
  }

  private static String readOnly(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    GuestSystem system = pair.guest().system();
    Pattern.fill(pair.memoryOfA().asSlice(0, LENGTH), pair.run().seed());
    long address =
        system.mmap(
            LENGTH, Protection.READ, SHARED, vfio.fd(), vfio.region(VfioPciRegion.BAR2).offset());
    try (GuestMemory bar = new GuestMemory(system, address, LENGTH)) {
      // First the store, when no page is there yet; then with the page that the loads brought.
      expectSegv(bar, 0);
      verify(pair, bar);
      expectSegv(bar, PAGE);
      verify(pair, bar);
    }
    return "SIGSEGV before and after the first load";
  }

  private static String protect(HbmPair pair) throws Exception {
    AddressSpace space = new AddressSpace(pair.guest());
    Pattern.fill(pair.memoryOfA().asSlice(0, LENGTH), pair.run().seed());
    try (GuestMemory bar = pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      verify(pair, bar);
      space.protect(bar.address() + PAGE, PAGE, Protection.READ);
      expectSegv(bar, PAGE);
      verify(pair, bar);
      space.protect(bar.address() + PAGE, PAGE, Protection.NONE);
      Faults.expect(
          Signal.SIGSEGV, bar.address() + PAGE, "a load without rights", () -> bar.loadLong(PAGE));
      storeAndSee(pair, bar, 0, 0, 1);
      storeAndSee(pair, bar, 2 * PAGE, 2 * PAGE, 2);
      space.protect(bar.address() + PAGE, PAGE, Protection.READ_WRITE);
      storeAndSee(pair, bar, PAGE, PAGE, 3);
    }
    return "SIGSEGV for a store to PROT_READ and a load from PROT_NONE";
  }

  private static String remap(HbmPair pair) throws Exception {
    GuestSystem system = pair.guest().system();
    AddressSpace space = new AddressSpace(pair.guest());
    Pattern.fill(pair.memoryOfA().asSlice(0, LENGTH), pair.run().seed());
    GuestMemory room = pair.guest().allocate(LENGTH);
    GuestMemory bar = pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR, 0, LENGTH);
    verify(pair, bar);
    long old = bar.address();
    long moved = space.remap(old, LENGTH, LENGTH, Move.TO, room.address());
    try (GuestMemory there = new GuestMemory(system, moved, LENGTH)) {
      unless(moved == room.address(), "it went to 0x%x", moved);
      verify(pair, there);
      Faults.expect(
          Signal.SIGSEGV, old, "a load from where it was", () -> system.agent().load(old, 1));
      new Refusals()
          .refuse(
              Errno.EFAULT,
              "to grow in place",
              () -> space.remap(moved, LENGTH, 2 * LENGTH, Move.NOT, 0))
          .refuse(
              Errno.EFAULT,
              "to grow elsewhere",
              () -> space.remap(moved, LENGTH, 2 * LENGTH, Move.ANYWHERE, 0))
          .seen();
      verify(pair, there);
      space.remap(moved, LENGTH, PAGE, Move.NOT, 0);
      storeAndSee(pair, there, 0, 0, 7);
      Faults.expect(
          Signal.SIGSEGV, moved + PAGE, "a load behind what is left", () -> there.loadLong(PAGE));
    }
    return "moved from 0x%x to 0x%x, shrunk to a page".formatted(old, moved);
  }

  private static String name(HbmPair pair) throws Exception {
    String cdev = pair.deviceA().vfio().pci().vfioCdev();
    String device = cdev.substring(cdev.lastIndexOf('/') + 1);
    try (GuestMemory bar = pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR, PAGE, LENGTH)) {
      Area area =
          new AddressSpace(pair.guest())
              .areaAt(bar.address())
              .orElseThrow(() -> new UnexpectedException("it is not there"));
      unless(
          area.start() == bar.address() && area.end() == bar.address() + LENGTH,
          "other bounds: %s",
          area);
      unless(area.rights().equals("rw-s"), "other rights: %s", area);
      // What a DMABUF stands behind is named by that: /dmabuf:vfio0:0000:03:00.0/2.
      String address = pair.deviceA().vfio().pci().address();
      unless(
          area.name().equals(cdev)
              || area.name().startsWith("/dmabuf:" + device + ":" + address + "/"),
          "other name than %s: %s",
          cdev,
          area);
      return "%s, %s".formatted(area.name(), area.rights());
    }
  }

  private static String child(HbmPair pair) throws Exception {
    Child child = new Child(pair.guest());
    try (GuestMemory bar = pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      long word = Pattern.word(pair.run().seed(), 0);
      // A page that the parent has, and one that it has not touched.
      bar.storeLong(0, word);
      pair.memoryOfA().set(ValueLayout.JAVA_LONG, PAGE, ~word);
      for (long at : List.of(0L, PAGE)) {
        long loaded = child.load(bar.address() + at, AccessWidth.QWORD);
        long expected = at == 0 ? word : ~word;
        unless(loaded == expected, "the child loads 0x%x at 0x%x", loaded, at);
        child.store(bar.address() + at, AccessWidth.QWORD, word + at);
        long stored = pair.memoryOfA().get(ValueLayout.JAVA_LONG, at);
        unless(stored == word + at, "the host sees 0x%x of the child's store", stored);
        loaded = bar.loadLong(at);
        unless(loaded == word + at, "the parent loads 0x%x of the child's store", loaded);
      }
    }
    return "a page that the parent had loaded from, and one that it had not";
  }

  private static void expectSegv(GuestMemory bar, long offset) throws Exception {
    Faults.expect(
        Signal.SIGSEGV,
        bar.address() + offset,
        "a store to what is for reading",
        () -> bar.storeLong(offset, -1));
  }

  private static void verify(HbmPair pair, GuestMemory bar) throws Exception {
    var seen = bar.verifyPattern(0, LENGTH, pair.run().seed());
    unless(seen.isEmpty(), "not what A's memory has: %s", seen);
  }

  private static void storeAndSee(
      HbmPair pair, GuestMemory bar, long offset, long offsetInBar, long value)
      throws IOException, UnexpectedException {
    bar.storeLong(offset, value);
    long seen = pair.memoryOfA().get(ValueLayout.JAVA_LONG, offsetInBar);
    unless(seen == value, "the host sees 0x%x of a store of 0x%x", seen, value);
  }
}
