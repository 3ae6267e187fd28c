package dev.peerbar.scenario.importer;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.drm.DrmDevice;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.gpu.HbmAndGpu;
import java.util.List;

/** DMABUFs of A's memory in the card's hands. */
final class Imports {
  private Imports() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmAndGpu.KIND,
                "importer.import",
                "import A's memory by its DMABUF twice, and give the handle back",
                "the handle is the same both times",
                Imports::importTwice)
            .only(HbmAndGpu::isUsual),
        Case.on(
                HbmAndGpu.KIND,
                "importer.scanout",
                "draw in A's memory, import it, show it, draw anew and have it flushed",
                "each picture is the output's, read from the peer",
                Imports::scanout)
            .needing(GuestFeature.PEER_BARS)
            .only(HbmAndGpu::reaches));
  }

  private static String importTwice(HbmAndGpu pair) throws Exception {
    try (DrmDevice card = pair.openCard();
        DmaBuf exported = pair.exportToCard(Shown.LENGTH)) {
      int handle = card.importDmaBuf(exported.fd());
      int again = card.importDmaBuf(exported.fd());
      unless(again == handle, "it is handle %d, and then %d", handle, again);
      card.closeHandle(handle);
      return "handle " + handle;
    }
  }

  private static String scanout(HbmAndGpu pair) throws Exception {
    Drawing second = Drawing.of(Shown.WIDTH, Shown.HEIGHT, pair.run().seed() + 1);
    try (Shown shown = Shown.begin(pair, pair.run().seed())) {
      second.put(pair.device().bar(HbmRegisters.MEMORY_BAR), Shown.PITCH);
      shown.flush();
      second.await(pair);
    }
    return "%dx%d, twice".formatted(Shown.WIDTH, Shown.HEIGHT);
  }
}
