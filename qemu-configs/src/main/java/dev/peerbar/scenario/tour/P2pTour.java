package dev.peerbar.scenario.tour;

import dev.peerbar.scenario.bar.MapMemory;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.flr.ExporterUnderLoad;
import dev.peerbar.scenario.flr.ImportAgain;
import dev.peerbar.scenario.flr.InitiatorUnderLoad;
import dev.peerbar.scenario.flr.ResetExporter;
import dev.peerbar.scenario.iommufd.ImportMemory;
import dev.peerbar.scenario.life.Attach;
import dev.peerbar.scenario.p2p.CopyThereAndBack;
import dev.peerbar.scenario.p2p.CopyWhilePolling;
import dev.peerbar.scenario.p2p.RingDoorbell;
import java.util.List;

/** Two HBM endpoints do peer-to-peer DMA through a DMABUF and survive function-level resets. */
final class P2pTour {
  private P2pTour() {}

  static Tour<HbmPair> on(String topology) {
    return new Tour<>(
        "p2p on " + topology,
        HbmPair.KIND,
        HbmPair.KIND.settings(topology).getFirst(),
        List.of(
            Tour.Stop.of("a", new Attach()),
            Tour.Stop.of("b", new MapMemory()),
            Tour.Stop.of("c", new ImportMemory()),
            Tour.Stop.of("d", new CopyThereAndBack()),
            new Tour.Stop<>(
                "e",
                "the same while the guest polls a register of B",
                "the same, and no read of the register fails",
                new CopyWhilePolling()),
            Tour.Stop.of("f", new RingDoorbell()),
            Tour.Stop.of("g", new ResetExporter()),
            new Tour.Stop<>(
                "h",
                "export and import again",
                "a copy of 8 MiB there and back is right again",
                new ImportAgain()),
            Tour.Stop.of("i1", new ExporterUnderLoad()),
            Tour.Stop.of("i2", new InitiatorUnderLoad())));
  }
}
