package dev.peerbar.driver.socket;

import dev.peerbar.driver.Device;
import dev.peerbar.driver.contract.VirtioContract;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(
    value = ServedDevice.Way.class,
    mode = EnumSource.Mode.EXCLUDE,
    names = "MAPPED_DOORBELLS")
final class VirtioOverSocketTest extends VirtioContract {
  @Parameter private ServedDevice.Way way;
  @TempDir private Path directory;
  private ServedDevice served;

  @Override
  protected Device open() throws IOException {
    served = way.open(directory, endpoint());
    return served.device();
  }

  @AfterEach
  void stop() {
    served.server().close();
  }
}
