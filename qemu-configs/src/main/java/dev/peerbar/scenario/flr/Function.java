package dev.peerbar.scenario.flr;

import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.scenario.fixture.HbmPair;

/**
 * One of the pair, as who upsets it has it.
 *
 * @param name A or B
 * @param doorbellsReadBack whether they are mapped memory
 */
record Function(String name, GuestDevice device, HbmDriver driver, boolean doorbellsReadBack) {

  static Function a(HbmPair pair) {
    return new Function("A", pair.deviceA(), pair.a(), true);
  }

  static Function b(HbmPair pair) {
    return new Function("B", pair.deviceB(), pair.b(), false);
  }

  PciDevice pci() {
    return device.vfio().pci();
  }
}
