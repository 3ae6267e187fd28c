package dev.peerbar.scenario.p2pmem;

import static dev.peerbar.scenario.UnexpectedException.unless;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.peerbar.lab.disk.BlockDevice;
import dev.peerbar.lab.guest.GuestFaultException;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.qemu.Qmp;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.Pending;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.Peers;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.io.IOException;
import java.time.Duration;

/** A provider's driver goes while a peer's request has pages of its memory pinned. */
final class RemovePinned implements Scenario<StockNvme> {
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final long LENGTH = 16 * NvmeController.PAGE;

  /** Where the kernel waits until nobody holds a page of a function's memory any more. */
  private static final String WAITS_IN = "memunmap_pages";

  private static final ObjectMapper JSON = new ObjectMapper();

  @Override
  public Description description() {
    return Description.of(
            "p2pmem.remove-pinned",
            "unbind the endpoint while a request of a peer, which QEMU holds back, has its memory"
                + " pinned",
            "the mapping goes at once, the unbind waits; the request ends well, then the unbind")
        .needing(GuestFeature.PEER_MEMORY);
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return StockNvme.isForEverything(setting);
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    PciDevice pci = nvme.disk().pci();
    long seed = nvme.run().seed();
    String waited;
    try (GuestMemory memory = pci.allocatePeerMemory(LENGTH);
        GuestMemory ram = nvme.guest().allocate(LENGTH);
        BlockDevice disk = nvme.disk(nvme.inQemu()).open()) {
      memory.fillPattern(0, LENGTH, seed);
      Pending write;
      Pending unbind;
      throttle(nvme, 1);
      try {
        write = Pending.start("a write", () -> disk.write(Peers.POSITION, memory, 0, LENGTH));
        awaitInFlight(nvme);
        unbind = Pending.start("an unbind", pci::unbind);
        waited = unbind.awaitIn(nvme.guest(), WAITS_IN, LIMIT).orElse("the unbind");
        expectSigbus(memory);
        unless(!write.isOver(), "the write was not held back");
        unless(!unbind.isOver(), "the unbind did not wait");
      } finally {
        throttle(nvme, 0);
      }
      write.await(LIMIT);
      unbind.await(LIMIT);
      disk.read(Peers.POSITION, ram, 0, LENGTH);
      var wrong = ram.verifyPattern(0, LENGTH, seed);
      unless(wrong.isEmpty(), "the peer's disk got other bytes: %s", wrong);
    }
    unless(pci.driver().isEmpty(), "still bound");
    pci.bind("nvme");
    return "waited in %s; %s"
        .formatted(waited, nvme.peers(nvme.underTest(), nvme.second()).moveBytes());
  }

  private static void expectSigbus(GuestMemory memory) throws Exception {
    try {
      long seen = memory.load(0, AccessWidth.QWORD);
      unless(false, "the mapping still gives 0x%x", seen);
    } catch (GuestFaultException e) {
      unless(e.signal() == GuestFaultException.Signal.SIGBUS, "%s", e.getMessage());
    }
  }

  /** Waits until the disk has a request that is not answered. */
  private static void awaitInFlight(StockNvme nvme) throws Exception {
    String path = "/sys/block/%s/inflight".formatted(nvme.disk(nvme.inQemu()).namespace());
    long end = System.nanoTime() + LIMIT.toNanos();
    while (nvme.guest().system().readText(path).replaceAll("[\\s0]", "").isEmpty()) {
      unless(System.nanoTime() < end, "no request is under way");
    }
  }

  /**
   * Has QEMU hold back requests of its own disk.
   *
   * @param bytesPerSecond 0 for as many as there are
   */
  private static void throttle(StockNvme nvme, long bytesPerSecond) throws IOException {
    ObjectNode limits = JSON.createObjectNode().put("id", "nvme-c").put("bps", bytesPerSecond);
    for (String name : new String[] {"bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"}) {
      limits.put(name, 0);
    }
    try (Qmp monitor = nvme.lab().qemu().monitor()) {
      monitor.execute("block_set_io_throttle", limits);
    }
  }
}
