package dev.peerbar.driver.socket;

import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.NvmeEndpoint;
import dev.peerbar.driver.Device;
import dev.peerbar.driver.contract.NvmeContract;
import dev.peerbar.storage.MemoryStorage;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("polled")
@ParameterizedClass
@EnumSource(ServedDevice.Way.class)
final class NvmeOverSocketTest extends NvmeContract {
  @Parameter private ServedDevice.Way way;
  @TempDir private Path directory;
  private ServedDevice served;

  @Override
  protected Device open() throws IOException {
    NvmeConfig config = new NvmeConfig(512, 1 << 20, 4, way.doorbells(), true, "TEST");
    served = way.open(directory, new NvmeEndpoint(config, MemoryStorage.allocate(1 << 20)));
    return served.device();
  }

  @AfterEach
  void stop() {
    served.server().close();
  }
}
