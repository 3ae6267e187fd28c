package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.DrivenEndpoint;
import dev.peerbar.bench.fixture.ServedEndpoint;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.ioat.IoatConfig;
import dev.peerbar.devices.ioat.IoatEndpoint;
import java.io.IOException;

/** An endpoint whose channel copies. */
public enum CopyEngine {
  HBM("HBM"),
  IOAT("I/OAT");

  private final String label;

  CopyEngine(String label) {
    this.label = label;
  }

  /**
   * Serves one, and has its driver set channel 0 up.
   *
   * @param entries of the ring, a power of two
   */
  DrivenEndpoint<?> start(int entries, DrivenEndpoint.SetUp more) throws IOException {
    return switch (this) {
      case HBM ->
          DrivenEndpoint.hbm(
              ServedEndpoint.start("copy-hbm", new HbmEndpoint(HbmConfig.DEFAULT)),
              entries,
              true,
              more);
      case IOAT ->
          DrivenEndpoint.ioat(
              ServedEndpoint.start("copy-ioat", new IoatEndpoint(IoatConfig.DEFAULT)),
              entries,
              more);
    };
  }

  @Override
  public String toString() {
    return label;
  }
}
