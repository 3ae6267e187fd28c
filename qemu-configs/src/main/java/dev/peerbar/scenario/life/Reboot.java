package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.lab.guest.KernelReport;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.qemu.Qemu;
import dev.peerbar.lab.qemu.Qmp;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.VfioSpace;
import dev.peerbar.server.ClientHoldings;
import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/** The guest boots again and again, with the same endpoints. */
final class Reboot implements Scenario<HbmPair> {
  private static final int REBOOTS = 20;

  /** Among those that end as firmware finds A, one in so many goes on until the kernel does. */
  private static final int KERNEL_EVERY = 5;

  private static final long LENGTH = 1L << 20;
  private static final ObjectMapper JSON = new ObjectMapper();

  /** A's name in QEMU. */
  private static final String A = "a";

  /** How long a kernel may take to come as far as PCI, on a busy machine. */
  private static final Duration LIMIT = Duration.ofSeconds(60);

  @Override
  public Description description() {
    return Description.of(
            "life.reboot",
            "reset the machine while B copies, then %d times as firmware or the kernel finds A"
                .formatted(REBOOTS - 1),
            "no byte lands afterwards, A is reset and holds no more than after one; B copies again")
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.HOT_PLUG;
  }

  @Override
  public boolean spendsGuest() {
    return true;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    Qemu qemu = pair.lab().qemu();
    // Whatever a boot has to say is said again.
    Set<String> ofBoot =
        pair.lab().bootComplaints().stream()
            .map(complaint -> KernelReport.withoutTime(complaint.line()))
            .collect(Collectors.toSet());
    pair.run().mayComplain(line -> ofBoot.contains(KernelReport.withoutTime(line)));
    pair.a().write(HbmRegisters.SCRATCH, 1);
    String found = "pci %s: [".formatted(pair.deviceA().vfio().pci().address());
    Copying copying = Copying.begin(pair, pair.importOfA(Copying.LENGTH));
    long start = System.nanoTime();
    reset(qemu);
    pair.lab().awaitReboot();
    long landed = copying.landed();
    ClientHoldings once = pair.holdingsOfA();
    for (int reboot = 2; reboot <= REBOOTS; reboot++) {
      reset(qemu);
      if (reboot == REBOOTS) {
        pair.lab().awaitReboot();
      } else if (reboot % KERNEL_EVERY == 0) {
        awaitKernel(qemu, found);
      } else {
        awaitFirmware(qemu);
      }
    }
    Duration took = Duration.ofNanos(System.nanoTime() - start);
    pair.run().record("%d boots".formatted(REBOOTS), took);
    copying.checkLanded(landed);
    ClientHoldings often = pair.holdingsOfA();
    unless(often.equals(once), "A holds %s, and %s after one boot", often, once);
    checkWorks(pair);
    return "%d boots in %.1f s; %s".formatted(REBOOTS, took.toMillis() / 1e3, often);
  }

  /** Resets the machine. When it returns that has happened, and the next boot has just begun. */
  private static void reset(Qemu qemu) throws Exception {
    long end = System.nanoTime() + LIMIT.toNanos();
    try (Qmp monitor = qemu.monitor()) {
      // Else QEMU would end, as it was started to.
      monitor.execute("set-action", JSON.createObjectNode().put("reboot", "reset"));
      monitor.execute("stop");
      monitor.execute("system_reset");
      while (!monitor.execute("query-status").path("status").asText().equals("prelaunch")) {
        unless(System.nanoTime() < end, "the machine is not reset");
      }
      unless(!hasAddresses(monitor.execute("query-pci")), "A's BARs kept their addresses");
      monitor.execute("cont");
    }
  }

  /** Waits until A's BARs have addresses. */
  private static void awaitFirmware(Qemu qemu) throws Exception {
    long end = System.nanoTime() + LIMIT.toNanos();
    try (Qmp monitor = qemu.monitor()) {
      while (!hasAddresses(monitor.execute("query-pci"))) {
        unless(System.nanoTime() < end, "firmware does not find A");
      }
    }
  }

  private static boolean hasAddresses(JsonNode tree) {
    for (JsonNode node : tree.findParents("qdev_id")) {
      if (node.path("qdev_id").asText().equals(A)) {
        return StreamSupport.stream(node.path("regions").spliterator(), false)
            .allMatch(region -> region.path("address").asLong() > 0);
      }
    }
    return false;
  }

  private static void awaitKernel(Qemu qemu, String found) throws Exception {
    long before = count(qemu, found);
    await(qemu, found, before + 1);
  }

  private static long count(Qemu qemu, String words) throws IOException {
    return qemu.console().stream().filter(line -> line.contains(words)).count();
  }

  private static void await(Qemu qemu, String words, long count) throws Exception {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (count(qemu, words) < count) {
      unless(System.nanoTime() < end, "the kernel does not find A");
      // A boot's output is read as a whole each time, and QEMU needs the processor more.
      Thread.sleep(10);
    }
  }

  /** A is as after a reset, and B copies into it and back, in the guest as it is now. */
  private static void checkWorks(HbmPair pair) throws Exception {
    VfioSpace space = VfioSpace.open(pair.guest());
    GuestDevice a = space.attach(1);
    int scratch = HbmDriver.of(a).read(HbmRegisters.SCRATCH);
    unless(scratch == 0, "A kept SCRATCH 0x%x", scratch);
    Initiator b = Initiator.of(HbmDriver.of(space.attach(2)));
    long seed = pair.run().seed() + 1;
    DmaRange out = space.allocate(LENGTH, 0);
    DmaRange back = space.allocate(LENGTH, 0);
    Pattern.fill(out, seed);
    try (Import ofA = Import.of(space.ioas(), a.vfio(), HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      b.copy(out.iova(), ofA.iova(), LENGTH);
      long mismatch = Pattern.mismatch(pair.memoryOfA().asSlice(0, LENGTH), seed);
      unless(mismatch == LENGTH, "A's memory differs at 0x%x", mismatch);
      b.copy(ofA.iova(), back.iova(), LENGTH);
    }
    var seen = Pattern.verify(back, seed);
    unless(seen.isEmpty(), "what came back differs: %s", seen);
  }
}
