package dev.peerbar.scenario.tour;

import dev.peerbar.scenario.fixture.nvme.NvmeHbm;
import dev.peerbar.scenario.flr.ControllerUnderLoad;
import dev.peerbar.scenario.nvme.AttachController;
import dev.peerbar.scenario.nvme.CompleteIntoPeer;
import dev.peerbar.scenario.nvme.DisableUnderLoad;
import dev.peerbar.scenario.nvme.Initialise;
import dev.peerbar.scenario.nvme.MixedCommands;
import dev.peerbar.scenario.nvme.MoveEverywhere;
import dev.peerbar.scenario.nvme.Refuse;
import dev.peerbar.scenario.nvme.WriteByPeer;
import java.util.List;

/** An HBM endpoint writes commands into an NVMe controller's CMB and rings its doorbells. */
final class NvmeHbmTour {
  private NvmeHbmTour() {}

  static Tour<NvmeHbm> on(String topology) {
    return new Tour<>(
        "nvme and hbm through vfio-pci on " + topology,
        NvmeHbm.KIND,
        NvmeHbm.KIND.settings(topology).getFirst(),
        List.of(
            Tour.Stop.of("a", new AttachController()),
            Tour.Stop.of("b", new Initialise()),
            Tour.Stop.of("c", new WriteByPeer()),
            Tour.Stop.of("d", new MoveEverywhere()),
            Tour.Stop.of("e", new Refuse()),
            Tour.Stop.of("f", new CompleteIntoPeer()),
            Tour.Stop.of("g", new MixedCommands()),
            Tour.Stop.of("h", new ControllerUnderLoad()),
            Tour.Stop.of("i", new DisableUnderLoad())));
  }
}
