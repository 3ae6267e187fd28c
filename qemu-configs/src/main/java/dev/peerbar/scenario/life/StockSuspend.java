package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.boot.GuestLog;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.disk.BlockDevice;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.qemu.Qmp;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** The guest sleeps, with its RAM alone powered, and is woken. */
final class StockSuspend implements Scenario<StockNvme> {
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final long LENGTH = 1L << 20;

  /** Where on the disk, in MiB. */
  private static final long FROM = 256;

  private static final long TO = 300;

  /** Of programs that need nothing of 9p. */
  private static final String SCRIPT =
      "echo mem >/sys/power/state"
          + " && /bin/busybox dd if=%1$s of=/tmp/awake bs=1M skip="
          + FROM
          + " count=1 && /bin/busybox dd if=/tmp/awake of=%1$s bs=1M seek="
          + TO
          + " conv=fsync";

  private static final String STATE = "/sys/power/state";

  /** Which sleep "mem" is. */
  private static final String KIND_OF_SLEEP = "/sys/power/mem_sleep";

  @Override
  public Description description() {
    return Description.of(
            "life.stock-suspend",
            "suspend the guest to RAM, and wake it",
            "a program reads from the endpoint's disk what was there, and writes, when it is awake")
        .needing(GuestFeature.NVME, StockSuspend::missingIn);
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return StockNvme.isForEverything(setting);
  }

  /** Neither the agent's port nor 9p, by which programs come, wakes with the guest. */
  @Override
  public boolean spendsGuest() {
    return true;
  }

  private static Optional<String> missingIn(Lab lab) throws IOException {
    GuestSystem system = lab.guest().system();
    boolean sleeps =
        system.exists(STATE)
            && system.readText(STATE).contains("mem")
            && system.exists(KIND_OF_SLEEP)
            && system.readText(KIND_OF_SLEEP).contains("deep");
    return sleeps
        ? Optional.empty()
        : Optional.of("the kernel cannot be suspended to RAM (CONFIG_SUSPEND)");
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    long seed = nvme.run().seed();
    try (GuestMemory ram = nvme.guest().allocate(LENGTH);
        BlockDevice disk = nvme.disk().open()) {
      ram.fillPattern(0, LENGTH, seed);
      disk.write(FROM << 20, ram, 0, LENGTH);
    }
    nvme.guest().system().writeText(KIND_OF_SLEEP, "deep");
    long start = System.nanoTime();
    // It is left alone: the agent's port does not wake either.
    nvme.guest().start("/bin/sh", "-c", SCRIPT.formatted(nvme.disk().path()));
    try (Qmp monitor = nvme.lab().qemu().monitor()) {
      awaitStatus(monitor, "suspended");
      monitor.execute("system_wakeup");
      awaitStatus(monitor, "running");
    }
    awaitCopied(nvme, seed);
    Duration took = Duration.ofNanos(System.nanoTime() - start);
    endOf(nvme);
    return "asleep, awake and at work in %d ms".formatted(took.toMillis());
  }

  private static void awaitStatus(Qmp monitor, String status) throws Exception {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (!monitor.execute("query-status").path("status").asText().equals(status)) {
      unless(System.nanoTime() < end, "the guest is not %s", status);
    }
  }

  /** Waits until the image has what the guest has read and written when it was awake again. */
  private static void awaitCopied(StockNvme nvme, long seed) throws Exception {
    long end = System.nanoTime() + LIMIT.toNanos();
    try (Arena arena = Arena.ofConfined();
        FileChannel image = FileChannel.open(nvme.underTest().image(), StandardOpenOption.READ)) {
      MemorySegment bytes = arena.allocate(LENGTH);
      do {
        unless(System.nanoTime() < end, "the disk does not work after the sleep");
        image.read(bytes.asByteBuffer(), TO << 20);
      } while (Pattern.mismatch(bytes, seed) != LENGTH);
    }
  }

  /** Ends QEMU: nothing can be asked of the guest any more. */
  private static void endOf(StockNvme nvme) throws Exception {
    List<String> bad = GuestLog.badKernelLines(String.join("\n", nvme.lab().qemu().console()));
    try (Qmp monitor = nvme.lab().qemu().monitor()) {
      monitor.execute("quit");
    }
    unless(nvme.lab().qemu().awaitEnd(LIMIT), "QEMU does not end");
    List<String> ours = bad.stream().filter(line -> line.contains("nvme ")).toList();
    unless(ours.isEmpty(), "the kernel said %s", ours);
  }
}
