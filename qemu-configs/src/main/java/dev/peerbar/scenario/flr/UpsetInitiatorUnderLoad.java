package dev.peerbar.scenario.flr;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.fixture.HbmPair;

/** A function is upset while it writes into another. */
record UpsetInitiatorUnderLoad(Upset upset) {

  Case<HbmPair> scenario() {
    return upset.scenario(
        "-initiator-under-load", upset.to("B") + ", amid its copy into A", expects(), this::run);
  }

  private String expects() {
    if (!upset.stopsMaster()) {
      return "the copy goes on to its end without it, and is right";
    }
    return upset.resets()
        ? "B's registers are cleared; no byte and no interrupt comes late, its mapping works on"
        : "B halts, for it may not write or QEMU refuses one on the wire; no byte lands late, it works on";
  }

  private String run(HbmPair pair) throws Exception {
    Function b = Function.b(pair);
    Load load = new Load(pair, Load.SHORT);
    try (Lent lent = Lent.of(pair, Load.SHORT)) {
      pair.initiator();
      Registers registers = Registers.use(b);
      load.begin(lent.iova(), 1);
      upset.begin(b);
      if (upset.lasts()) {
        if (!upset.stopsMaster()) {
          load.awaitLanded();
        }
        upset.end(b);
      }
      registers.check(upset.resets(), upset.counted());
      if (upset.stopsMaster()) {
        checkStopped(pair, load, lent);
      } else {
        load.checkAllMade();
      }
      load.checkWorks(lent.iova());
      return "RESET_COUNT " + registers.resets();
    }
  }

  private void checkStopped(HbmPair pair, Load load, Lent lent) throws Exception {
    HbmChannel channel = pair.initiator().channel();
    if (upset.resets()) {
      ChannelState state = channel.state();
      int fault = pair.b().fault();
      unless(state == ChannelState.IDLE && fault == 0, "B is %s, FAULT 0x%x", state, fault);
    } else {
      int error = channel.error();
      ChannelState state = channel.state();
      unless(
          state == ChannelState.HALTED
              && (error == ErrorCode.BUS_MASTER_DISABLED.code()
                  || error == ErrorCode.WRITE_FAULT.code()),
          "%s, error %d",
          state,
          error);
    }
    load.settle(lent.iova());
    long landed = load.landed();
    pair.initiator().forgetInterrupts();
    load.checkLanded(landed);
    long late = pair.b().drainInterrupts();
    unless(late == 0, "%d interrupts afterwards", late);
  }
}
