package dev.peerbar.scenario.flr;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;

/** A reset of a function while it writes into another. */
public final class InitiatorUnderLoad implements Scenario<HbmPair> {

  @Override
  public Description description() {
    return Description.of(
            "flr.initiator-under-load",
            "reset B during its own copy, %d times".formatted(Load.ROUNDS),
            "no byte lands and no interrupt comes after the reset, B works again")
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.KIND;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    Load load = new Load(pair, Load.LENGTH);
    try (Import peer = pair.importOfA(Load.LENGTH)) {
      Load.rounds(round -> {
        int resets = pair.b().read(HbmRegisters.RESET_COUNT);
        load.begin(peer.iova(), round);
        pair.deviceB().reset();
        long landed = load.landed();
        checkReset(pair, resets);
        pair.initiator().forgetInterrupts();
        load.checkLanded(landed);
        long late = pair.b().drainInterrupts();
        unless(late == 0, "%d interrupts after the reset", late);
        load.checkWorks(peer.iova());
      });
    }
    return Load.ROUNDS + " resets";
  }

  private static void checkReset(HbmPair pair, int resets) throws Exception {
    ChannelState state = pair.initiator().channel().state();
    int fault = pair.b().fault();
    int after = pair.b().read(HbmRegisters.RESET_COUNT);
    unless(
        state == ChannelState.IDLE && fault == 0 && after == resets + 1,
        "B is %s, FAULT 0x%x, RESET_COUNT %d after %d",
        state,
        fault,
        after,
        resets);
  }
}
