package dev.peerbar.scenario.nvme;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.driver.nvme.PeerInitiator;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.nvme.LentController;
import dev.peerbar.scenario.fixture.nvme.LoadedController;
import dev.peerbar.scenario.fixture.nvme.NvmeHbm;
import dev.peerbar.scenario.fixture.nvme.Witness;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A Controller Reset amid commands: nothing of before lands, and who submits may go on in vain. */
public final class DisableUnderLoad implements Scenario<NvmeHbm> {

  @Override
  public Description description() {
    return Description.of(
        "nvme.disable-under-load",
        "disable A (CC.EN) amid commands by B, %d times".formatted(LoadedController.ROUNDS),
        "no completion and no byte from before lands, doorbells are ignored, A initialises again");
  }

  @Override
  public FixtureKind<NvmeHbm> fixture() {
    return NvmeHbm.KIND;
  }

  @Override
  public String run(NvmeHbm nvme) throws Exception {
    try (LentController a = nvme.lend()) {
      List<Integer> completed =
          LoadedController.stopEach(
              nvme,
              a,
              load -> {
                nvme.a().disable();
                Witness.Snapshot landed = nvme.witness().landed();
                // B knows nothing of it, copies on and rings.
                load.awaitInitiator();
                ringEveryDoorbell(a.initiator());
                nvme.witness().checkNothingSince(landed);
              });
      return "after %s of %d commands; B copied and rang to the end, in vain"
          .formatted(completed, LoadedController.COMMANDS);
    }
  }

  /**
   * B stores into each doorbell what the next generation's first command will: it must count all
   * the same, then.
   */
  private static void ringEveryDoorbell(PeerInitiator b) throws IOException {
    List<Descriptor> rings = new ArrayList<>();
    for (int id = 0; id <= NvmeHbm.QUEUES; id++) {
      rings.add(b.ring(NvmeRegisters.submissionDoorbell(id), 1));
      rings.add(b.ring(NvmeRegisters.completionDoorbell(id), 1));
    }
    b.run(rings);
  }
}
