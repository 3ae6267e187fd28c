package dev.peerbar.scenario.flr;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.nvme.LentController;
import dev.peerbar.scenario.fixture.nvme.LoadedController;
import dev.peerbar.scenario.fixture.nvme.NvmeHbm;
import dev.peerbar.scenario.fixture.nvme.Witness;
import java.util.List;

/** A controller whose commands come from another device is reset amid them. */
public final class ControllerUnderLoad implements Scenario<NvmeHbm> {

  @Override
  public Description description() {
    return Description.of(
        "flr.controller-under-load",
        "reset A (FLR) amid commands by B, %d times".formatted(LoadedController.ROUNDS),
        "the imports are dead, B's writes fault; no completion and no byte from before lands; A"
            + " initialises again after a new export");
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
              _ -> {
                a.mayRefuseWrites();
                nvme.deviceA().reset();
                Witness.Snapshot landed = nvme.witness().landed();
                a.awaitWriteFault();
                a.checkReset();
                nvme.witness().checkNothingSince(landed);
                a.renew();
              });
      return "after %s of %d commands".formatted(completed, LoadedController.COMMANDS);
    }
  }
}
