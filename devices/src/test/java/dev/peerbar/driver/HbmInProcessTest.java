package dev.peerbar.driver;

import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.driver.contract.HbmContract;
import dev.peerbar.driver.fake.FakeDevice;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.DoorbellMode;

@InEveryMode
final class HbmInProcessTest extends HbmContract {
  private final Engine.Polling polling;

  HbmInProcessTest(Engine.Polling polling) {
    this.polling = polling;
  }

  @Override
  protected Device open() {
    return new FakeDevice(
        new HbmEndpoint(new HbmConfig(1 << 20, 2, DoorbellMode.TRAP, false)), polling);
  }
}
