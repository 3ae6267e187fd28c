package dev.peerbar.scenario.p2pmem;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.OpenFlag;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.stock.Mount;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import dev.peerbar.scenario.p2pmem.MemoryCalls.Pipe;
import java.io.IOException;
import java.util.List;

/** The endpoint's memory as a program's buffer, for files and pipes. */
final class CopyMemory {
  private static final long PAGE = NvmeController.PAGE;
  private static final long LENGTH = 64 * PAGE;
  private static final String FILE_ON_9P = "/usr/bin/fio";

  private CopyMemory() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                StockNvme.KIND,
                "p2pmem.copies",
                "read and write through a pipe, on tmpfs and from 9p with the endpoint's memory as"
                    + " the buffer",
                "the kernel copies: every byte is right",
                CopyMemory::copies)
            .needing(GuestFeature.PEER_MEMORY)
            .only(StockNvme::isForEverything),
        Case.on(
                StockNvme.KIND,
                "p2pmem.file-system",
                "write and read a file on the endpoint's ext4 with a peer's CMB as the buffer, by"
                    + " O_DIRECT and through the page cache",
                "the right bytes each way, whichever way they went in",
                CopyMemory::fileSystem)
            .needing(GuestFeature.PEER_MEMORY, GuestFeature.FILES)
            .only(StockNvme::isForEverything));
  }

  private static String copies(StockNvme nvme) throws Exception {
    GuestSystem system = nvme.guest().system();
    MemoryCalls calls = new MemoryCalls(system);
    long seed = nvme.run().seed();
    int onTmpfs =
        system.open(nvme.file("copies"), OpenFlag.READ_WRITE, OpenFlag.CREATE, OpenFlag.TRUNCATE);
    int on9p = system.open(FILE_ON_9P);
    try (GuestMemory memory = nvme.disk().pci().allocatePeerMemory(LENGTH);
        GuestMemory ram = nvme.guest().allocate(LENGTH);
        Pipe pipe = calls.pipe()) {
      memory.fillPattern(0, PAGE, seed);
      checkMoved(calls.write(pipe.in(), memory, 0, PAGE), PAGE);
      checkMoved(calls.read(pipe.out(), memory, PAGE, PAGE), PAGE);
      check(memory, PAGE, PAGE, seed);
      memory.fillPattern(0, LENGTH, seed);
      checkMoved(calls.writeAtStart(onTmpfs, memory, LENGTH), LENGTH);
      memory.fill(0, LENGTH, (byte) 0);
      checkMoved(calls.readAtStart(onTmpfs, memory, LENGTH), LENGTH);
      check(memory, 0, LENGTH, seed);
      checkMoved(calls.readAtStart(on9p, memory, LENGTH), LENGTH);
      checkMoved(calls.readAtStart(on9p, ram, LENGTH), LENGTH);
      unless(memory.compare(0, ram, 0, LENGTH) == LENGTH, "9p gave other bytes than to RAM");
      return "4 KiB through a pipe, %d KiB each on tmpfs and from 9p".formatted(LENGTH >> 10);
    } finally {
      system.close(on9p);
      system.close(onTmpfs);
    }
  }

  private static String fileSystem(StockNvme nvme) throws Exception {
    nvme.program("mkfs.ext4", "-q", "-F", nvme.disk().path());
    try (Mount _ = Mount.of(nvme, nvme.disk());
        GuestMemory memory = nvme.disk(nvme.second()).pci().allocatePeerMemory(LENGTH);
        GuestMemory ram = nvme.guest().allocate(LENGTH)) {
      long seed = nvme.run().seed();
      int ways = 0;
      for (OpenFlag[] in : WAYS) {
        for (OpenFlag[] out : WAYS) {
          memory.fillPattern(0, LENGTH, ++seed);
          transfer(nvme, memory, true, in);
          memory.fill(0, LENGTH, (byte) 0);
          transfer(nvme, memory, false, out);
          check(memory, 0, LENGTH, seed);
          transfer(nvme, ram, false, OpenFlag.DIRECT);
          check(ram, 0, LENGTH, seed);
          ways++;
        }
      }
      return "%d KiB, %d ways".formatted(LENGTH >> 10, ways);
    }
  }

  /** Past the page cache, and through it. */
  private static final List<OpenFlag[]> WAYS =
      List.of(new OpenFlag[] {OpenFlag.DIRECT}, new OpenFlag[0]);

  private static void transfer(StockNvme nvme, GuestMemory memory, boolean write, OpenFlag... how)
      throws Exception {
    GuestSystem system = nvme.guest().system();
    MemoryCalls calls = new MemoryCalls(system);
    OpenFlag[] flags = java.util.Arrays.copyOf(how, how.length + 2);
    flags[how.length] = OpenFlag.READ_WRITE;
    flags[how.length + 1] = OpenFlag.CREATE;
    int fd = system.open(Mount.PLACE + "/file", flags);
    try {
      long moved =
          write ? calls.writeAtStart(fd, memory, LENGTH) : calls.readAtStart(fd, memory, LENGTH);
      checkMoved(moved, LENGTH);
    } finally {
      system.close(fd);
    }
  }

  private static void checkMoved(long moved, long length) throws Exception {
    unless(moved == length, "%d of %d bytes moved", moved, length);
  }

  private static void check(GuestMemory memory, long offset, long length, long seed)
      throws Exception, IOException {
    var wrong = memory.verifyPattern(offset, length, seed);
    unless(wrong.isEmpty(), "other bytes came: %s", wrong);
  }
}
