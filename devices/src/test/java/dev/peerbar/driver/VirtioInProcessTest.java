package dev.peerbar.driver;

import dev.peerbar.driver.contract.VirtioContract;
import dev.peerbar.driver.fake.FakeDevice;

final class VirtioInProcessTest extends VirtioContract {

  @Override
  protected Device open() {
    return new FakeDevice(endpoint());
  }
}
