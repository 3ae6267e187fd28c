package dev.peerbar.driver;

import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.NvmeEndpoint;
import dev.peerbar.driver.contract.NvmeContract;
import dev.peerbar.driver.fake.FakeDevice;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.storage.MemoryStorage;

@InEveryMode
final class NvmeInProcessTest extends NvmeContract {
  private final Engine.Polling polling;

  NvmeInProcessTest(Engine.Polling polling) {
    this.polling = polling;
  }

  @Override
  protected Device open() {
    return new FakeDevice(
        new NvmeEndpoint(
            new NvmeConfig(512, 1 << 20, 4, DoorbellMode.TRAP, "TEST"),
            MemoryStorage.allocate(1 << 20)),
        polling);
  }
}
