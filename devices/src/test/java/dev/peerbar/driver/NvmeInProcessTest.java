package dev.peerbar.driver;

import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.NvmeEndpoint;
import dev.peerbar.driver.contract.NvmeContract;
import dev.peerbar.driver.fake.FakeDevice;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.storage.MemoryStorage;

final class NvmeInProcessTest extends NvmeContract {

  @Override
  protected Device open() {
    return new FakeDevice(
        new NvmeEndpoint(
            new NvmeConfig(512, 1 << 20, 4, DoorbellMode.TRAP, "TEST"),
            MemoryStorage.allocate(1 << 20)));
  }
}
