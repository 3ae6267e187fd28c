package dev.peerbar.driver;

import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.driver.contract.HbmContract;
import dev.peerbar.driver.fake.FakeDevice;
import dev.peerbar.pci.DoorbellMode;

final class HbmInProcessTest extends HbmContract {

  @Override
  protected Device open() {
    return new FakeDevice(new HbmEndpoint(new HbmConfig(1 << 20, 2, DoorbellMode.TRAP, false)));
  }
}
