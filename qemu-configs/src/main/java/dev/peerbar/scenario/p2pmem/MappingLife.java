package dev.peerbar.scenario.p2pmem;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.BlockDevice;
import dev.peerbar.lab.guest.GuestFaultException;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.Refused;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.Peers;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/** A mapping of the endpoint's memory is moved, cut, let go page by page, and looked at. */
final class MappingLife {
  private static final long PAGE = NvmeController.PAGE;
  private static final long PAGES = 8;
  private static final int NO_ACCESS = 0;

  /** Of an entry of /proc/PID/pagemap: the page is there; and its frame's number. */
  private static final long PRESENT = 1L << 63;

  private static final long FRAME = (1L << 55) - 1;

  private static final int MEMORY_BAR = 2;

  private MappingLife() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                StockNvme.KIND,
                "p2pmem.mapping-life",
                "mremap, MADV_DONTNEED, munmap, mprotect of pages of the endpoint's memory, and fork",
                "pages move with their bytes; those let go are available, SIGBUS, EFAULT to O_DIRECT",
                MappingLife::life)
            .needing(GuestFeature.PEER_MEMORY)
            .only(StockNvme::isForEverything),
        Case.on(
                StockNvme.KIND,
                "p2pmem.proc",
                "look at a mapping of the endpoint's memory in /proc/self/{maps,smaps,pagemap}",
                "it is named, resident, not locked, and each page is one of the BAR's",
                MappingLife::seenInProc)
            .needing(GuestFeature.PEER_MEMORY)
            .only(StockNvme::isForEverything));
  }

  private static String life(StockNvme nvme) throws Exception {
    PciDevice pci = nvme.disk().pci();
    GuestSystem system = nvme.guest().system();
    MemoryCalls calls = new MemoryCalls(system);
    long seed = nvme.run().seed();
    long available = AllocateMemory.available(pci);
    moveAndGrow(pci, seed);
    // It is unmapped piece by piece: the agent may have mapped something else into a hole.
    GuestMemory memory = pci.allocatePeerMemory(PAGES * PAGE);
    memory.fillPattern(0, PAGES * PAGE, seed);
    nvme.program("true");
    check(memory, 0, PAGES * PAGE, seed);
    checkTaken(pci, available, PAGES);

    long letGo = memory.at(PAGE, PAGE);
    calls.letGo(letGo, PAGE);
    checkTaken(pci, available, PAGES - 1);
    expectFault(GuestFaultException.Signal.SIGBUS, system, letGo);
    try (BlockDevice disk = nvme.disk(nvme.second()).open()) {
      Refused.with(Errno.EFAULT, "O_DIRECT", () -> disk.read(Peers.POSITION, memory, PAGE, PAGE));
    }

    system.munmap(memory.at(2 * PAGE, PAGE), PAGE);
    checkTaken(pci, available, PAGES - 2);
    calls.protect(memory.at(3 * PAGE, PAGE), PAGE, NO_ACCESS);
    checkTaken(pci, available, PAGES - 2);
    expectFault(GuestFaultException.Signal.SIGSEGV, system, memory.at(3 * PAGE, PAGE));
    check(memory, 4 * PAGE, (PAGES - 4) * PAGE, seed + 4 * PAGE / Long.BYTES);
    system.munmap(memory.at(3 * PAGE, PAGE), (PAGES - 3) * PAGE);
    system.munmap(memory.at(0, PAGE), 2 * PAGE);
    checkTaken(pci, available, 0);
    return PAGES + " pages";
  }

  /** A page that is moved by mremap keeps its bytes, and what it grows by has no page. */
  private static void moveAndGrow(PciDevice pci, long seed) throws Exception {
    GuestSystem system = pci.system();
    long available = AllocateMemory.available(pci);
    GuestMemory page = pci.allocatePeerMemory(PAGE);
    page.fillPattern(0, PAGE, seed);
    long first = page.load(0, AccessWidth.QWORD);
    long moved = new MemoryCalls(system).remap(page.address(), PAGE, 2 * PAGE);
    unless(system.agent().load(moved, Long.BYTES) == first, "the page lost its bytes");
    expectFault(GuestFaultException.Signal.SIGBUS, system, moved + PAGE);
    checkTaken(pci, available, 1);
    system.munmap(moved, 2 * PAGE);
    checkTaken(pci, available, 0);
  }

  private static void check(GuestMemory memory, long offset, long length, long seed)
      throws Exception {
    var wrong = memory.verifyPattern(offset, length, seed);
    unless(wrong.isEmpty(), "bytes changed: %s", wrong);
  }

  private static void checkTaken(PciDevice pci, long available, long pages) throws Exception {
    long taken = available - AllocateMemory.available(pci);
    unless(taken == pages * PAGE, "%d bytes are taken, not %d pages", taken, pages);
  }

  private static void expectFault(
      GuestFaultException.Signal signal, GuestSystem system, long address) throws Exception {
    try {
      long seen = system.agent().load(address, Long.BYTES);
      unless(false, "a load gave 0x%x instead of %s", seen, signal);
    } catch (GuestFaultException e) {
      unless(e.signal() == signal, "%s instead of %s", e.getMessage(), signal);
    }
  }

  private static String seenInProc(StockNvme nvme) throws Exception {
    PciDevice pci = nvme.disk().pci();
    GuestSystem system = nvme.guest().system();
    try (GuestMemory memory = pci.allocatePeerMemory(PAGES * PAGE)) {
      String start = "%x-%x ".formatted(memory.address(), memory.address() + memory.length());
      List<String> smaps = system.readText("/proc/self/smaps").lines().toList();
      int at = 0;
      while (at < smaps.size() && !smaps.get(at).startsWith(start)) {
        at++;
      }
      unless(at < smaps.size(), "no mapping begins with %s", start);
      String line = smaps.get(at);
      unless(
          line.contains("rw-s") && line.endsWith("/%s/p2pmem/allocate".formatted(pci.address())),
          "it is named %s",
          line);
      long kilobytes = PAGES * PAGE >> 10;
      unless(number(smaps, at, "Rss:") == kilobytes, "Rss %d KiB", number(smaps, at, "Rss:"));
      unless(number(smaps, at, "Locked:") == 0, "Locked %d KiB", number(smaps, at, "Locked:"));
      checkFrames(pci, memory);
      return line.substring(line.indexOf('/'));
    }
  }

  private static long number(List<String> smaps, int from, String field) {
    return smaps.subList(from, smaps.size()).stream()
        .filter(line -> line.startsWith(field))
        .map(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElse(-1L);
  }

  /** Every page is one of the BAR's, and each another. */
  private static void checkFrames(PciDevice pci, GuestMemory memory) throws Exception {
    String[] bar =
        pci.system()
            .readText(pci.attribute("resource"))
            .lines()
            .toList()
            .get(MEMORY_BAR)
            .split(" ");
    long first = Long.decode(bar[0]) / PAGE;
    long last = Long.decode(bar[1]) / PAGE;
    ByteBuffer entries = pagemap(pci.system(), memory);
    long before = -1;
    while (entries.hasRemaining()) {
      long entry = entries.getLong();
      long frame = entry & FRAME;
      unless(
          (entry & PRESENT) != 0 && frame >= first && frame <= last && frame != before,
          "the entry 0x%x is not of frames 0x%x to 0x%x",
          entry,
          first,
          last);
      before = frame;
    }
  }

  private static ByteBuffer pagemap(GuestSystem system, GuestMemory memory) throws IOException {
    int fd = system.open("/proc/self/pagemap");
    try {
      byte[] entries =
          system.pread(fd, (int) PAGES * Long.BYTES, memory.address() / PAGE * Long.BYTES);
      return ByteBuffer.wrap(entries).order(ByteOrder.LITTLE_ENDIAN);
    } finally {
      system.close(fd);
    }
  }
}
