package dev.peerbar.scenario.bar;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.AddressSpace;
import dev.peerbar.lab.guest.GuestFaultException.Signal;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.Faults;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.MemoryDecoding;
import dev.peerbar.scenario.fixture.Refusals;
import java.io.IOException;
import java.util.List;

/** What becomes of mappings when a BAR is not where it was, or not there at all. */
final class Decoding {
  private static final long PAGE = 4096;
  private static final long LENGTH = 4 * PAGE;

  /** Pages, too few for a large one: each takes a fault. */
  private static final long FAULTED = 256;

  private static final int BAR2 = Header.BAR0 + 2 * Header.BAR_BYTES;
  private static final long ADDRESS = ~(long) Header.BAR_TYPE;

  private Decoding() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
            HbmPair.KIND,
            "bar.decoding-off",
            "clear Memory Space Enable in A's Command register while its memory BAR is mapped",
            "a load is SIGBUS, pread EIO; set again, the memory is there with its contents",
            Decoding::off),
        Case.on(
            HbmPair.KIND,
            "bar.map-while-off",
            "map A's memory BAR while Memory Space Enable is clear, then set it",
            "mmap works and a load is SIGBUS; then the mapping is A's memory",
            Decoding::mapWhileOff),
        Case.on(
            HbmPair.KIND,
            "bar.reset",
            "reset A (FLR) while its memory BAR is mapped",
            "the kernel takes the pages away, gives them again at a load, and nothing was lost",
            Decoding::reset),
        Case.on(
            HbmPair.KIND,
            "bar.move-virtually",
            "write another address into A's BAR 2 register through vfio-pci",
            "it reads back, masked by the BAR's size; A's own and the mapping stay where they are",
            Decoding::moveVirtually),
        Case.on(
            HbmPair.KIND,
            "bar.move-behind",
            "move A's BAR 2 behind vfio-pci's back, then write A's Command register",
            "the mapping is not A's memory until vfio-pci has put the BAR back",
            Decoding::moveBehind));
  }

  private static String off(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    Pattern.fill(pair.memoryOfA().asSlice(0, LENGTH), pair.run().seed());
    try (GuestMemory bar = vfio.mmapBar(HbmRegisters.MEMORY_BAR, 0, LENGTH);
        GuestMemory registers = vfio.mmapBar(HbmRegisters.BAR)) {
      verify(pair, bar);
      registers.loadInt(HbmRegisters.ID);
      try (MemoryDecoding _ = MemoryDecoding.off(vfio)) {
        expectBus(bar, 0);
        expectBus(bar, LENGTH - Long.BYTES);
        expectBus(registers, 0);
        Faults.expect(
            Signal.SIGBUS, bar.address(), "a store", () -> bar.store(0, AccessWidth.BYTE, 1));
        new Refusals()
            .refuse(Errno.EIO, "pread", () -> vfio.readRegion(VfioPciRegion.BAR2, 0, 8))
            .refuse(Errno.EIO, "pwrite", () -> vfio.writeRegion(VfioPciRegion.BAR2, 0, new byte[8]))
            .refuse(Errno.EIO, "pread of BAR 0", () -> vfio.readRegion(VfioPciRegion.BAR0, 0, 4))
            .seen();
        long mismatch = Pattern.mismatch(pair.memoryOfA().asSlice(0, LENGTH), pair.run().seed());
        unless(mismatch == LENGTH, "A's memory changed at 0x%x", mismatch);
      }
      verify(pair, bar);
      int id = registers.loadInt(HbmRegisters.ID);
      unless(id == (int) HbmRegisters.ID_VALUE, "ID reads 0x%x", id);
    }
    return "SIGBUS at memory and registers, EIO by file, then %d KiB as before"
        .formatted(LENGTH >> 10);
  }

  private static String mapWhileOff(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    Pattern.fill(pair.memoryOfA().asSlice(0, LENGTH), pair.run().seed());
    MemoryDecoding off = MemoryDecoding.off(vfio);
    try (GuestMemory bar = vfio.mmapBar(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      expectBus(bar, 0);
      off.close();
      verify(pair, bar);
    } finally {
      off.close();
    }
    return "SIGBUS, then %d KiB of A's memory".formatted(LENGTH >> 10);
  }

  private static String reset(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    Pattern.fill(pair.memoryOfA(), pair.run().seed());
    int resets = pair.a().read(HbmRegisters.RESET_COUNT);
    String faults;
    try (GuestMemory bar = vfio.mmapBar(HbmRegisters.MEMORY_BAR, 0, FAULTED * PAGE)) {
      long first = faultsOfVerifying(pair, bar);
      long again = faultsOfVerifying(pair, bar);
      vfio.reset();
      long afterwards = faultsOfVerifying(pair, bar);
      // A fault for each page, and some that are the agent's own.
      faults =
          "%d faults in %d pages, %d once more, %d after the reset"
              .formatted(first, FAULTED, again, afterwards);
      unless(first >= FAULTED && again < FAULTED / 2 && afterwards >= FAULTED, "%s", faults);
    }
    int after = pair.a().read(HbmRegisters.RESET_COUNT);
    unless(after == resets + 1, "RESET_COUNT went from %d to %d", resets, after);
    long mismatch = Pattern.mismatch(pair.memoryOfA(), pair.run().seed());
    unless(mismatch == HbmPair.BAR_SIZE, "A's memory changed at 0x%x", mismatch);
    return faults + ", %d MiB as before".formatted(HbmPair.BAR_SIZE >> 20);
  }

  private static long faultsOfVerifying(HbmPair pair, GuestMemory bar) throws Exception {
    AddressSpace space = new AddressSpace(pair.guest());
    long before = space.faults();
    var seen = bar.verifyPattern(0, bar.length(), pair.run().seed());
    unless(seen.isEmpty(), "not what A's memory has: %s", seen);
    return space.faults() - before;
  }

  private static String moveVirtually(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    Pattern.fill(pair.memoryOfA().asSlice(0, LENGTH), pair.run().seed());
    long before = virtual(vfio);
    long own = own(pair);
    long written = before ^ HbmPair.BAR_SIZE * 4 ^ 0x10000;
    try (GuestMemory bar = vfio.mmapBar(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      verify(pair, bar);
      writeVirtual(vfio, written);
      long read = virtual(vfio);
      // Address bits below the size are not there; the type's bits cannot be written.
      long expected = written & -HbmPair.BAR_SIZE | Header.BAR_64_BIT | Header.BAR_PREFETCHABLE;
      unless(read == expected, "it reads 0x%x of 0x%x, not 0x%x", read, written, expected);
      unless(own(pair) == own, "A's own went from 0x%x to 0x%x", own, own(pair));
      verify(pair, bar);
      writeVirtual(vfio, -1);
      long size = -(virtual(vfio) & ADDRESS);
      unless(size == HbmPair.BAR_SIZE, "written with ones it tells a size of 0x%x", size);
      // Decoding off and on: what is virtual has nothing to do with it.
      MemoryDecoding.off(vfio).close();
      unless(own(pair) == own, "A's own went from 0x%x to 0x%x", own, own(pair));
      verify(pair, bar);
    } finally {
      writeVirtual(vfio, before);
    }
    return "0x%x, A's own 0x%x".formatted(written & -HbmPair.BAR_SIZE, own & ADDRESS);
  }

  private static String moveBehind(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    Pattern.fill(pair.memoryOfA().asSlice(0, LENGTH), pair.run().seed());
    long own = own(pair);
    try (GuestMemory bar = vfio.mmapBar(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      verify(pair, bar);
      writeOwn(pair, own + HbmPair.BAR_SIZE * 16);
      try {
        long word = bar.loadLong(0);
        unless(
            word != Pattern.word(pair.run().seed(), 0), "the mapping is A's memory all the same");
        bar.storeLong(0, ~word);
      } finally {
        // It compares what it knows with what the function has whenever Command is written.
        long command = vfio.readConfig(Header.COMMAND, AccessWidth.WORD);
        vfio.writeConfig(Header.COMMAND, AccessWidth.WORD, command);
      }
      unless(own(pair) == own, "BAR 2 is 0x%x, was 0x%x", own(pair), own);
      verify(pair, bar);
    }
    return "vfio-pci put BAR 2 back to 0x%x".formatted(own & ADDRESS);
  }

  private static void expectBus(GuestMemory bar, long offset) throws Exception {
    Faults.expect(
        Signal.SIGBUS,
        bar.address() + offset,
        "a load while decoding is off",
        () -> bar.loadInt(offset));
  }

  private static void verify(HbmPair pair, GuestMemory bar)
      throws IOException, UnexpectedException {
    var seen = bar.verifyPattern(0, LENGTH, pair.run().seed());
    unless(seen.isEmpty(), "not what A's memory has: %s", seen);
  }

  /** BAR 2 as vfio-pci shows it. */
  private static long virtual(VfioDevice vfio) throws IOException {
    return vfio.readConfig(BAR2, AccessWidth.DWORD)
        | vfio.readConfig(BAR2 + Header.BAR_BYTES, AccessWidth.DWORD) << Integer.SIZE;
  }

  private static void writeVirtual(VfioDevice vfio, long value) throws IOException {
    vfio.writeConfig(BAR2, AccessWidth.DWORD, value & 0xffff_ffffL);
    vfio.writeConfig(BAR2 + Header.BAR_BYTES, AccessWidth.DWORD, value >>> Integer.SIZE);
  }

  /** BAR 2 as the function has it. */
  private static long own(HbmPair pair) throws IOException {
    return pair.deviceA().vfio().pci().config().getLong(BAR2);
  }

  private static void writeOwn(HbmPair pair, long value) throws IOException {
    pair.deviceA().vfio().pci().writeConfig(BAR2, value);
  }
}
