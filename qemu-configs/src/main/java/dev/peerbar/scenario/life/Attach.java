package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import java.util.Optional;

/** Two functions that vfio-pci has, on one IOAS, are what they say. */
public final class Attach implements Scenario<HbmPair> {

  @Override
  public Description description() {
    return Description.of(
            "life.attach",
            "attach A and B",
            "both bind to vfio-pci, open as cdevs and attach to one IOAS")
        .needing(GuestFeature.IOMMUFD);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.KIND;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    PciDevice a = check(pair.deviceA(), pair.a());
    PciDevice b = check(pair.deviceB(), pair.b());
    return "A %s, B %s, IOAS %d".formatted(a, b, pair.ioas().id());
  }

  private static PciDevice check(GuestDevice device, HbmDriver driver) throws Exception {
    PciDevice pci = device.vfio().pci();
    Optional<String> bound = pci.driver();
    unless(bound.equals(Optional.of("vfio-pci")), "%s has the driver %s", pci, bound);
    int id = driver.read(HbmRegisters.ID);
    unless(id == (int) HbmRegisters.ID_VALUE, "%s has ID 0x%x", pci, id);
    long size = driver.readLong(HbmRegisters.MEM_SIZE);
    unless(size == HbmPair.BAR_SIZE, "%s has MEM_SIZE 0x%x", pci, size);
    return pci;
  }
}
