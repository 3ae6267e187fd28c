package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.lab.guest.EventFd;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.uapi.VfioIrqSet;
import dev.peerbar.lab.uapi.VfioPciIrq;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Pending;
import dev.peerbar.scenario.fixture.Refused;
import dev.peerbar.scenario.fixture.RoundTrip;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/** A function goes from vfio-pci to nobody and back, open or not. */
final class BindFunction {
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final int CYCLES = 3;
  private static final long LENGTH = 1L << 20;
  private static final String VFIO_PCI = "vfio-pci";

  /** Where the kernel waits until the last descriptor of a function is closed. */
  private static final String WAITS_IN = "vfio_unregister_group_dev";

  /** What vfio-pci says of a function that nobody can be asked to give back. */
  private static final Pattern BLOCKED =
      Pattern.compile(
          "vfio-pci [0-9a-f:.]+: No device request channel registered, blocked until released by"
              + " user$");

  private BindFunction() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmPair.KIND,
                "life.unbind-asks",
                "unbind A from vfio-pci while it is open, B copies into its memory, and a driver"
                    + " listens to requests",
                "it is asked, all goes on until it closes A; then B is cut off and A is free",
                BindFunction::unbindAsks)
            .needing(GuestFeature.DMABUF_IMPORT),
        Case.on(
                HbmPair.KIND,
                "life.unbind-blocks",
                "unbind A while it is open and nobody listens to requests",
                "the kernel says so and waits; A works until it is closed, then the unbind ends",
                BindFunction::unbindBlocks)
            .needing(GuestFeature.IOMMUFD),
        Case.on(
                HbmPair.KIND,
                "life.unbind-idle",
                "unbind A from vfio-pci when it is closed and bind it again, %d times"
                    .formatted(CYCLES),
                "its character device goes and comes; every time A works",
                BindFunction::unbindIdle)
            .needing(GuestFeature.IOMMUFD),
        Case.on(
            HbmPair.KIND,
            "life.driver-override",
            "probe A with driver_override empty, of an unknown driver, too long, of vfio-pci",
            "none binds, none binds, EINVAL and the old one stays, vfio-pci binds",
            BindFunction::driverOverride),
        Case.on(
            HbmPair.KIND,
            "life.new-id",
            "give vfio-pci A's identifiers twice and take them away twice, without an override",
            "it binds A, EEXIST; A is no longer bound when probed, ENODEV",
            BindFunction::newId));
  }

  private static String unbindAsks(HbmPair pair) throws Exception {
    GuestDevice a = pair.deviceA();
    PciDevice pci = a.vfio().pci();
    String waiting;
    long at;
    try (EventFd requests = pair.guest().eventFd();
        Import peer = pair.importOfA(Copying.LENGTH)) {
      a.vfio().setIrqs(new VfioIrqSet(VfioPciIrq.REQ, 0, List.of(requests.fd())));
      Copying copying = Copying.begin(pair, peer);
      Pending unbind = Pending.start("unbind A", pci::unbind);
      unless(requests.await(LIMIT) > 0, "the driver was not asked to give A back");
      waiting = waitsIn(pair, unbind);
      copying.awaitProgress();
      unless(!unbind.isOver(), "the unbind ended while A was open");
      a.close();
      long landed = copying.landed();
      unbind.await(LIMIT);
      at = copying.awaitCutOff();
      copying.checkLanded(landed);
      unless(pci.driver().isEmpty(), "A still has a driver");
    }
    pair.initiator().restart();
    return "%s, fault at 0x%x of the import; %s".formatted(waiting, at, works(pair, pci));
  }

  private static String waitsIn(HbmPair pair, Pending unbind) throws Exception {
    return unbind
        .awaitIn(pair.guest(), WAITS_IN, LIMIT)
        .map(function -> "waited in " + WAITS_IN)
        .orElse("waited");
  }

  private static String unbindBlocks(HbmPair pair) throws Exception {
    PciDevice pci = pair.deviceA().vfio().pci();
    pair.run().mayComplain(line -> BLOCKED.matcher(line).find());
    String cdev = pci.vfioCdev();
    Pending unbind = Pending.start("unbind A", pci::unbind);
    String waiting = waitsIn(pair, unbind);
    unless(!pair.guest().system().exists(cdev), "%s can still be opened", cdev);
    pair.a().write(HbmRegisters.SCRATCH, 0x11f3);
    unless(pair.a().read(HbmRegisters.SCRATCH) == 0x11f3, "A does not work any more");
    unless(!unbind.isOver(), "the unbind ended while A was open");
    pair.deviceA().close();
    unbind.await(LIMIT);
    unless(pci.driver().isEmpty(), "A still has a driver");
    works(pair, pci);
    return waiting;
  }

  private static String unbindIdle(HbmPair pair) throws Exception {
    PciDevice pci = pair.deviceA().vfio().pci();
    GuestSystem system = pair.guest().system();
    pair.deviceA().close();
    for (int cycle = 0; cycle < CYCLES; cycle++) {
      String cdev = pci.vfioCdev();
      pci.unbind();
      unless(pci.driver().isEmpty(), "A still has a driver");
      unless(!system.exists(cdev), "%s is still there", cdev);
      unless(!system.exists(pci.attribute("vfio-dev")), "A is still a vfio device");
      pci.bindVfio();
      works(pair, pci);
    }
    return CYCLES + " times";
  }

  /** Opens A anew, and closes it again. */
  private static String works(HbmPair pair, PciDevice pci) throws Exception {
    GuestDevice again = pair.open(pci);
    HbmDriver driver = HbmDriver.of(again);
    int id = driver.read(HbmRegisters.ID);
    unless(id == (int) HbmRegisters.ID_VALUE, "A has ID 0x%x", id);
    boolean canImport =
        pair.space() instanceof Ioas && GuestFeature.PEER_BARS.missingIn(pair.lab()).isEmpty();
    if (!canImport || !again.vfio().exportsDmabufs()) {
      again.close();
      return "A is there again";
    }
    try (Import peer = Import.of(pair.ioas(), again.vfio(), HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      return new RoundTrip(pair, LENGTH).through(peer);
    } finally {
      again.close();
    }
  }

  private static String driverOverride(HbmPair pair) throws Exception {
    PciDevice pci = pair.deviceA().vfio().pci();
    pair.deviceA().close();
    pci.unbind();
    try {
      override(pair.guest(), pci, "\n", "(null)");
      override(pair.guest(), pci, "none-such", "none-such");
      String tooLong = "x".repeat(pair.guest().agent().pageSize() - 1);
      Refused.with(Errno.EINVAL, "too long", () -> setOverride(pci, tooLong));
      String kept = pci.system().readText(pci.attribute("driver_override"));
      unless(kept.equals("none-such"), "driver_override %s", kept);
    } finally {
      pci.bindVfio();
    }
    return works(pair, pci);
  }

  /** Nobody binds A with this override. */
  private static void override(Guest guest, PciDevice pci, String value, String shown)
      throws Exception {
    setOverride(pci, value);
    String seen = guest.system().readText(pci.attribute("driver_override"));
    unless(seen.equals(shown), "driver_override %s instead of %s", seen, shown);
    probe(pci);
    Optional<String> driver = pci.driver();
    unless(driver.isEmpty(), "%s bound A, with driver_override %s", driver, shown);
  }

  private static void setOverride(PciDevice pci, String value) throws java.io.IOException {
    pci.system().writeText(pci.attribute("driver_override"), value);
  }

  private static void probe(PciDevice pci) throws java.io.IOException {
    pci.system().writeText("/sys/bus/pci/drivers_probe", pci.address());
  }

  private static String newId(HbmPair pair) throws Exception {
    PciDevice pci = pair.deviceA().vfio().pci();
    String ids = "%04x %04x".formatted(pci.vendorId(), pci.deviceId());
    String directory = "/sys/bus/pci/drivers/%s/".formatted(VFIO_PCI);
    GuestSystem system = pair.guest().system();
    pair.deviceA().close();
    pci.unbind();
    setOverride(pci, "\n");
    try {
      system.writeText(directory + "new_id", ids);
      try {
        unless(pci.driver().equals(Optional.of(VFIO_PCI)), "A has %s", pci.driver());
        Refused.with(Errno.EEXIST, "new_id", () -> system.writeText(directory + "new_id", ids));
      } finally {
        system.writeText(directory + "remove_id", ids);
      }
      Refused.with(Errno.ENODEV, "remove_id", () -> system.writeText(directory + "remove_id", ids));
      unless(pci.driver().equals(Optional.of(VFIO_PCI)), "A has %s", pci.driver());
      pci.unbind();
      probe(pci);
      unless(pci.driver().isEmpty(), "A has %s without its identifiers", pci.driver());
    } finally {
      pci.bindVfio();
    }
    return ids + "; " + works(pair, pci);
  }
}
