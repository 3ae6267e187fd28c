package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.qemu.HotPlug;
import dev.peerbar.lab.qemu.Qmp;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Initiator;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * An HBM endpoint C that a guest gets while it runs, on the port that is empty until then, open
 * through vfio-pci on the IOAS of A and B.
 */
final class ThirdEndpoint {
  static final Duration LIMIT = Duration.ofSeconds(60);

  /** Of C's memory: what the windows of the bridges above an empty port have room for. */
  static final long BAR_SIZE = 1L << 20;

  /** In QEMU. */
  static final String ID = "hot";

  static final int SLOT = 3;

  private static final String PORT = "port-c";

  private final HbmPair pair;
  private final PciDevice pci;
  private GuestDevice device;
  private HbmDriver driver;

  private ThirdEndpoint(HbmPair pair, PciDevice pci) throws IOException {
    this.pair = pair;
    this.pci = pci;
    open();
  }

  /** Plugs in what is served at a socket, waits until the guest has found it, and opens it. */
  static ThirdEndpoint plugIn(HbmPair pair, Path socket) throws Exception {
    unless(pair.guest().findInSlot(SLOT).isEmpty(), "there is something in slot %d", SLOT);
    try (Qmp monitor = pair.lab().qemu().monitor()) {
      new HotPlug(monitor).add(ID, PORT, socket);
    }
    return new ThirdEndpoint(pair, awaitFunction(pair.guest()));
  }

  private static PciDevice awaitFunction(Guest guest) throws Exception {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (true) {
      Optional<PciDevice> found = guest.findInSlot(SLOT);
      if (found.isPresent()) {
        return found.get();
      }
      unless(System.nanoTime() < end, "the guest did not notice what is in slot %d now", SLOT);
    }
  }

  /** Opens it, if it is closed. */
  void open() throws IOException {
    device = pair.open(pci);
    driver = HbmDriver.of(device);
  }

  PciDevice pci() {
    return pci;
  }

  GuestDevice device() {
    return device;
  }

  HbmDriver driver() {
    return driver;
  }

  /** All of its memory where the others see it. */
  Import importMemory() throws IOException {
    return Import.of(pair.ioas(), device.vfio(), HbmRegisters.MEMORY_BAR, 0, BAR_SIZE);
  }

  /** B copies into its memory and back, and it copies into A's. */
  void checkWorks() throws Exception {
    int id = driver.read(HbmRegisters.ID);
    unless(id == (int) HbmRegisters.ID_VALUE, "C has ID 0x%x", id);
    long seed = pair.run().seed();
    DmaRange out = pair.allocate(BAR_SIZE, 0);
    DmaRange back = pair.allocate(BAR_SIZE, 0);
    Pattern.fill(out, seed);
    pair.memoryOfA().asSlice(0, BAR_SIZE).fill((byte) 0);
    try (Import ofC = importMemory();
        Import ofA = pair.importOfA(BAR_SIZE)) {
      pair.initiator().copy(out.iova(), ofC.iova(), BAR_SIZE);
      pair.initiator().copy(ofC.iova(), back.iova(), BAR_SIZE);
      var seen = Pattern.verify(back, seed);
      unless(seen.isEmpty(), "what B copied into C and back differs: %s", seen);
      Initiator.of(driver).copy(out.iova(), ofA.iova(), BAR_SIZE);
      long mismatch = Pattern.mismatch(pair.memoryOfA().asSlice(0, BAR_SIZE), seed);
      unless(mismatch == BAR_SIZE, "what C copied into A differs at 0x%x", mismatch);
    }
  }
}
