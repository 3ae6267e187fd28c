package dev.peerbar.scenario.nvme;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.nvme.LentController;
import dev.peerbar.scenario.fixture.nvme.MemoryKind;
import dev.peerbar.scenario.fixture.nvme.NvmeHbm;

/** A controller is initialised with a submission queue in memory of its own. */
public final class Initialise implements Scenario<NvmeHbm> {

  @Override
  public Description description() {
    return Description.of(
        "nvme.initialise",
        "export and import A's CMB and doorbell page, initialise A",
        "A says who it is; a submission queue lies in the CMB");
  }

  @Override
  public FixtureKind<NvmeHbm> fixture() {
    return NvmeHbm.KIND;
  }

  @Override
  public String run(NvmeHbm nvme) throws Exception {
    try (LentController a = nvme.lend()) {
      NvmeQueue queue = a.initialise(MemoryKind.GUEST);
      NvmeDriver.Identity identity = nvme.a().identify();
      unless(identity.serialNumber().equals(NvmeHbm.SERIAL_NUMBER), "%s", identity);
      NvmeDriver.Namespace namespace = nvme.a().identifyNamespace();
      unless(
          namespace.equals(new NvmeDriver.Namespace(NvmeHbm.DISK / NvmeHbm.BLOCK, NvmeHbm.BLOCK)),
          "%s",
          namespace);
      unless(a.cmb().contains(queue.submissions().iova()), "%s", queue.submissions());
      return "%s, %s; CMB at 0x%x, doorbells at 0x%x, queue of %d entries at 0x%x"
          .formatted(
              identity.model(),
              namespace,
              a.cmb().iova(),
              a.doorbells().iova(),
              queue.entries(),
              queue.submissions().iova());
    }
  }
}
