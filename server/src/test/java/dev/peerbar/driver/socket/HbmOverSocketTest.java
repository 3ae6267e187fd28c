package dev.peerbar.driver.socket;

import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.driver.Device;
import dev.peerbar.driver.contract.HbmContract;
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
final class HbmOverSocketTest extends HbmContract {
  @Parameter private ServedDevice.Way way;
  @TempDir private Path directory;
  private ServedDevice served;

  @Override
  protected Device open() throws IOException {
    HbmConfig config = new HbmConfig(1 << 20, 2, way.doorbells(), false);
    served = way.open(directory, new HbmEndpoint(config));
    return served.device();
  }

  @AfterEach
  void stop() {
    served.server().close();
  }
}
