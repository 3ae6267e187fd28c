package dev.peerbar.scenario.p2pmem;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.disk.BlockDevice;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.MapFlag;
import dev.peerbar.lab.guest.GuestSystem.OpenFlag;
import dev.peerbar.lab.guest.GuestSystem.Protection;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Requirement;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.Refused;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.Peers;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import dev.peerbar.scenario.p2pmem.MemoryCalls.Pipe;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;

/**
 * Who may pin pages of the endpoint's memory, and who may not: that takes FOLL_PCI_P2PDMA, which
 * only direct I/O of block devices gives that can reach such memory.
 */
final class PinMemory {
  private static final long PAGE = NvmeController.PAGE;
  private static final long LENGTH = 16 * PAGE;

  /** A file on 9p, which is longer than {@link #LENGTH}. */
  private static final String FILE = "/usr/bin/fio";

  private static final int SECTOR = 512;

  /** The call is an option of the kernel's, and so is not named. */
  private static final Requirement CROSS_MEMORY = PinMemory::crossMemory;

  private PinMemory() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                StockNvme.KIND,
                "p2pmem.pins-refused",
                "vmsplice and mlock of the endpoint's memory, O_DIRECT from 9p into it,"
                    + " /proc/self/mem of it",
                "EREMOTEIO, EREMOTEIO, EREMOTEIO, EIO; no byte of it changes",
                PinMemory::refused)
            .needing(GuestFeature.PEER_MEMORY)
            .only(StockNvme::isForEverything),
        Case.on(
                StockNvme.KIND,
                "p2pmem.process-vm",
                "process_vm_readv from the endpoint's memory, and into it",
                "EFAULT, as its pages cannot be pinned; the kernel copies into it",
                PinMemory::betweenProcesses)
            .needing(GuestFeature.PEER_MEMORY, CROSS_MEMORY)
            .only(StockNvme::isForEverything),
        Case.on(
                StockNvme.KIND,
                "p2pmem.direct-edges",
                "O_DIRECT on a peer's disk with a read-only mapping, from the middle of a page, at"
                    + " an odd address",
                "writes work and reads are EFAULT; it works; EINVAL",
                PinMemory::edges)
            .needing(GuestFeature.PEER_MEMORY)
            .only(StockNvme::isForEverything));
  }

  private static String refused(StockNvme nvme) throws Exception {
    GuestSystem system = nvme.guest().system();
    MemoryCalls calls = new MemoryCalls(system);
    long seed = nvme.run().seed();
    int file = system.open(FILE, OpenFlag.DIRECT);
    int self = system.open("/proc/self/mem", OpenFlag.READ_WRITE);
    try (GuestMemory memory = nvme.disk().pci().allocatePeerMemory(LENGTH);
        GuestMemory ram = nvme.guest().allocate(LENGTH);
        Pipe pipe = calls.pipe()) {
      memory.fillPattern(0, LENGTH, seed);
      Refused.with(Errno.EREMOTEIO, "vmsplice", () -> calls.vmsplice(pipe, memory, PAGE));
      calls.vmsplice(pipe, ram, PAGE);
      Refused.with(Errno.EREMOTEIO, "mlock", () -> calls.lock(memory, PAGE));
      Refused.with(Errno.EREMOTEIO, "9p", () -> calls.readAtStart(file, memory, LENGTH));
      long moved = calls.readAtStart(file, ram, LENGTH);
      unless(moved == LENGTH, "9p moved %d of %d bytes into RAM", moved, LENGTH);
      Refused.with(Errno.EIO, "reading it", () -> system.pread(self, 8, memory.address()));
      Refused.with(
          Errno.EIO, "writing it", () -> system.pwrite(self, new byte[8], memory.address()));
      var changed = memory.verifyPattern(0, LENGTH, seed);
      unless(changed.isEmpty(), "bytes changed: %s", changed);
      return "RAM is taken by vmsplice and 9p, the endpoint's memory by none";
    } finally {
      system.close(self);
      system.close(file);
    }
  }

  private static Optional<String> crossMemory(Lab lab) throws IOException {
    MemoryCalls calls = new MemoryCalls(lab.guest().system());
    try (GuestMemory ram = lab.guest().allocate(PAGE)) {
      calls.copyBetweenProcesses(ram, ram, 1);
      return Optional.empty();
    } catch (GuestErrnoException e) {
      return Optional.of(
          "the kernel has no process_vm_readv (CONFIG_CROSS_MEMORY_ATTACH): " + e.getMessage());
    }
  }

  private static String betweenProcesses(StockNvme nvme) throws Exception {
    MemoryCalls calls = new MemoryCalls(nvme.guest().system());
    long seed = nvme.run().seed();
    try (GuestMemory memory = nvme.disk().pci().allocatePeerMemory(LENGTH);
        GuestMemory ram = nvme.guest().allocate(LENGTH)) {
      memory.fill(0, LENGTH, (byte) 0);
      ram.fillPattern(0, LENGTH, seed);
      Refused.with(Errno.EFAULT, "from it", () -> calls.copyBetweenProcesses(memory, ram, LENGTH));
      var changed = ram.verifyPattern(0, LENGTH, seed);
      unless(changed.isEmpty(), "bytes came: %s", changed);
      long moved = calls.copyBetweenProcesses(ram, memory, LENGTH);
      unless(moved == LENGTH, "%d of %d bytes went into it", moved, LENGTH);
      var wrong = memory.verifyPattern(0, LENGTH, seed);
      unless(wrong.isEmpty(), "it got other bytes: %s", wrong);
      return "EFAULT from it, %d bytes into it".formatted(moved);
    }
  }

  private static String edges(StockNvme nvme) throws Exception {
    GuestSystem system = nvme.guest().system();
    String allocate = nvme.disk().pci().peerMemory("allocate");
    int readable = system.open(allocate);
    try (BlockDevice disk = nvme.disk(nvme.second()).open();
        GuestMemory ram = nvme.guest().allocate(PAGE);
        GuestMemory memory = nvme.disk().pci().allocatePeerMemory(PAGE);
        GuestMemory readOnly =
            new GuestMemory(
                system,
                system.mmap(PAGE, Protection.READ, EnumSet.of(MapFlag.SHARED), readable, 0),
                PAGE)) {
      disk.write(Peers.POSITION, readOnly, 0, PAGE);
      disk.read(Peers.POSITION, ram, 0, PAGE);
      unless(ram.compare(0, readOnly, 0, PAGE) == PAGE, "the disk got other bytes");
      Refused.with(Errno.EFAULT, "a read", () -> disk.read(Peers.POSITION, readOnly, 0, PAGE));
      ram.fillPattern(0, PAGE, nvme.run().seed());
      disk.write(Peers.POSITION, ram, 0, PAGE);
      memory.fill(0, PAGE, (byte) 0);
      disk.read(Peers.POSITION, memory, SECTOR, SECTOR);
      unless(memory.compare(SECTOR, ram, 0, SECTOR) == SECTOR, "a sector came wrong");
      unless(memory.load(2 * SECTOR, dev.peerbar.pci.AccessWidth.QWORD) == 0, "too much came");
      Refused.with(
          Errno.EINVAL, "an odd address", () -> disk.read(Peers.POSITION, memory, 1, SECTOR));
      return "a page, a sector";
    } finally {
      system.close(readable);
    }
  }
}
