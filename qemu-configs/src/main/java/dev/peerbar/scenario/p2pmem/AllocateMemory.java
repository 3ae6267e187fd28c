package dev.peerbar.scenario.p2pmem;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.MapFlag;
import dev.peerbar.lab.guest.GuestSystem.OpenFlag;
import dev.peerbar.lab.guest.GuestSystem.Protection;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.Refused;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import dev.peerbar.scenario.p2pmem.MemoryCalls.Pipe;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;

/** A program takes the endpoint's memory by {@code p2pmem/allocate}, or may not. */
final class AllocateMemory {
  private static final long PAGE = NvmeController.PAGE;

  private AllocateMemory() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                StockNvme.KIND,
                "p2pmem.allocate-errors",
                "mmap of p2pmem/allocate: empty, private, at an offset, too much, beyond the"
                    + " descriptor's rights; read, write, sendfile",
                "EINVAL, EINVAL, EINVAL, ENOMEM, EACCES; EIO; nothing is taken",
                AllocateMemory::errors)
            .needing(GuestFeature.PEER_MEMORY)
            .only(StockNvme::isForEverything),
        Case.on(
                StockNvme.KIND,
                "p2pmem.allocate-all",
                "allocate all that is available, one page more, and 5000 bytes of it",
                "all of it holds bytes, ENOMEM, two pages are taken; all of it comes back",
                AllocateMemory::everything)
            .needing(GuestFeature.PEER_MEMORY)
            .only(StockNvme::isForEverything));
  }

  static long available(PciDevice pci) throws IOException {
    return Long.parseLong(pci.system().readText(pci.peerMemory("available")));
  }

  private static void checkAvailable(PciDevice pci, long expected) throws Exception {
    long seen = available(pci);
    unless(seen == expected, "available %d instead of %d", seen, expected);
  }

  private static GuestMemory map(
      GuestSystem system, int fd, long length, Protection protection, MapFlag flag, long offset)
      throws IOException {
    long address = system.mmap(length, protection, EnumSet.of(flag), fd, offset);
    return new GuestMemory(system, address, length);
  }

  private static GuestMemory map(GuestSystem system, int fd, long length) throws IOException {
    return map(system, fd, length, Protection.READ_WRITE, MapFlag.SHARED, 0);
  }

  private static String errors(StockNvme nvme) throws Exception {
    PciDevice pci = nvme.disk().pci();
    GuestSystem system = nvme.guest().system();
    long available = available(pci);
    int writable = system.open(pci.peerMemory("allocate"), OpenFlag.READ_WRITE);
    int readable = system.open(pci.peerMemory("allocate"));
    MemoryCalls calls = new MemoryCalls(system);
    try (Pipe pipe = calls.pipe()) {
      Refused.with(Errno.EINVAL, "empty", () -> map(system, writable, 0));
      Refused.with(
          Errno.EINVAL,
          "private",
          () -> map(system, writable, PAGE, Protection.READ_WRITE, MapFlag.PRIVATE, 0));
      Refused.with(
          Errno.EINVAL,
          "at an offset",
          () -> map(system, writable, PAGE, Protection.READ_WRITE, MapFlag.SHARED, PAGE));
      Refused.with(Errno.ENOMEM, "too much", () -> map(system, writable, available + PAGE));
      Refused.with(Errno.ENOMEM, "far too much", () -> map(system, writable, 1L << 40));
      Refused.with(Errno.EACCES, "writable", () -> map(system, readable, PAGE));
      Refused.with(Errno.EIO, "read", () -> system.pread(writable, 1, 0));
      Refused.with(Errno.EIO, "write", () -> system.pwrite(writable, new byte[1], 0));
      Refused.with(Errno.EIO, "sendfile", () -> calls.sendFile(writable, pipe, PAGE));
    } finally {
      system.close(readable);
      system.close(writable);
    }
    checkAvailable(pci, available);
    return "%d bytes are available all the time".formatted(available);
  }

  private static String everything(StockNvme nvme) throws Exception {
    PciDevice pci = nvme.disk().pci();
    GuestSystem system = nvme.guest().system();
    long available = available(pci);
    long seed = nvme.run().seed();
    int fd = system.open(pci.peerMemory("allocate"), OpenFlag.READ_WRITE);
    try {
      try (GuestMemory all = map(system, fd, available)) {
        checkAvailable(pci, 0);
        Refused.with(Errno.ENOMEM, "one page more", () -> map(system, fd, PAGE));
        all.fillPattern(0, available, seed);
        var wrong = all.verifyPattern(0, available, seed);
        unless(wrong.isEmpty(), "it does not hold what was stored: %s", wrong);
      }
      checkAvailable(pci, available);
      try (GuestMemory _ = map(system, fd, 5000)) {
        checkAvailable(pci, available - 2 * PAGE);
      }
      checkAvailable(pci, available);
    } finally {
      system.close(fd);
    }
    return available + " bytes";
  }
}
