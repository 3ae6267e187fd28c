package dev.peerbar.scenario.fault;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.BlockDevice;
import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.Misbehaving;
import dev.peerbar.scenario.fixture.Pending;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import dev.peerbar.server.fault.Fault;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** The kernel's own nvme driver, and a controller that lets it wait for the end of a read. */
final class StockDriver {
  /** Before the driver looks what has become of a request: 30 s if nobody says otherwise. */
  private static final Duration TIMEOUT = Duration.ofSeconds(1);

  private static final Duration LIMIT = Duration.ofSeconds(90);
  private static final long BLOCK = 4096;
  private static final String POLLED = "timeout, completion polled";
  private static final String RESET = "timeout, reset controller";

  private StockDriver() {}

  static List<Scenario<?>> all() {
    return List.of(
        stock(
            "fault.stock-interrupt-lost",
            "lose the interrupt of a read of the stock nvme driver, which waits 1 s for it",
            "the driver finds the completion by itself, and the read is right",
            StockDriver::lostInterrupt),
        stock(
            "fault.stock-stuck",
            "have a controller stick at a read of the stock nvme driver, until it is reset",
            "the driver resets it, and the read that it tries again is right",
            StockDriver::stuck));
  }

  /** What goes wrong with a disk. */
  private interface Wrong {
    /**
     * @param read begins a read
     */
    String with(StockNvme nvme, Reading read) throws Exception;
  }

  private interface Reading {
    Pending begin();
  }

  private static Scenario<?> stock(String name, String does, String expects, Wrong wrong) {
    return Case.on(StockNvme.KIND, name, does, expects, nvme -> run(nvme, wrong))
        .only(StockNvme::isForEverything);
  }

  private static String run(StockNvme nvme, Wrong wrong) throws Exception {
    NvmeDisk disk = nvme.disk();
    nvme.run().mayComplain(line -> isComplaintOf(nvme, line));
    String attribute = "/sys/block/%s/queue/io_timeout".formatted(disk.namespace());
    GuestSystem system = nvme.guest().system();
    String before = system.readText(attribute);
    long seed = nvme.run().seed();
    try (GuestMemory memory = nvme.guest().allocate(BLOCK);
        BlockDevice device = disk.open()) {
      memory.fillPattern(0, BLOCK, seed);
      device.write(0, memory, 0, BLOCK);
      memory.fill(0, BLOCK, (byte) 0);
      system.writeText(attribute, Long.toString(TIMEOUT.toMillis()));
      String saw =
          wrong.with(
              nvme, () -> Pending.start("read of a disk", () -> device.read(0, memory, 0, BLOCK)));
      Optional<?> seen = memory.verifyPattern(0, BLOCK, seed);
      unless(seen.isEmpty(), "what was read differs: %s", seen);
      device.read(BLOCK, memory, 0, BLOCK);
      return saw;
    } finally {
      system.writeText(attribute, before);
    }
  }

  /** What the driver says of the disk's requests that come to no end, and of ending them. */
  private static boolean isComplaintOf(StockNvme nvme, String line) {
    return line.matches(
        ".*nvme nvme\\d+: (I/O tag \\d+ \\([0-9a-f]+\\) (opcode .*)?QID \\d+ timeout, .*|Abort status: 0x[0-9a-f]+)");
  }

  private static String lostInterrupt(StockNvme nvme, Reading read) throws Exception {
    int polled = count(nvme, POLLED);
    try (Misbehaving _ = Misbehaving.by(nvme.serverUnderTest(), new Fault.InterruptsLost(), 1)) {
      read.begin().await(LIMIT);
    }
    int times = count(nvme, POLLED) - polled;
    unless(times == 1, "the driver found %d completions by itself", times);
    return "completion polled";
  }

  private static String stuck(StockNvme nvme, Reading read) throws Exception {
    int resets = count(nvme, RESET);
    Pending stuck;
    try (Misbehaving _ =
        Misbehaving.by(nvme.serverUnderTest(), new Fault.Stuck(Optional.empty()))) {
      stuck = read.begin();
      long end = System.nanoTime() + LIMIT.toNanos();
      while (count(nvme, RESET) == resets) {
        unless(!stuck.isOver(), "the read ended");
        unless(System.nanoTime() < end, "the driver does not reset the controller");
      }
    }
    stuck.await(LIMIT);
    return "controller reset";
  }

  private static int count(StockNvme nvme, String words) throws IOException {
    return (int) nvme.guest().kernelLog().lines().filter(line -> line.contains(words)).count();
  }
}
