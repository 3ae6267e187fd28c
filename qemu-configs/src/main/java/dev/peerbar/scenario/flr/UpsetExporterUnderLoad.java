package dev.peerbar.scenario.flr;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.lab.boot.RefusedAccesses;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;

/** An exporter is upset while another function writes into it. */
record UpsetExporterUnderLoad(Upset upset) {

  Case<HbmPair> scenario() {
    return upset.scenario(
        "-exporter-under-load", upset.to("A") + ", amid a copy by B", expects(), this::run);
  }

  private String expects() {
    if (upset.revokes()) {
      return "B reports the fault, no byte lands after that; both work after another mapping";
    }
    return upset.resets()
        ? "B's copies end or fault in A's memory, as they meet the reset; then they work as before"
        : "B's copies go on to their end, and are right";
  }

  private String run(HbmPair pair) throws Exception {
    Function a = Function.a(pair);
    Load load = new Load(pair, Load.SHORT);
    Registers registers = Registers.use(a);
    try (Lent lent = Lent.of(pair, Load.SHORT)) {
      load.begin(lent.iova(), 1);
      if (upset.revokes()) {
        pair.run()
            .mayComplain(
                RefusedAccesses.writes(pair.deviceB().vfio().pci(), lent.iova(), Load.SHORT));
      }
      upset.begin(a);
      String seen = met(pair, load, lent);
      upset.end(a);
      registers.check(upset.resets(), upset.counted());
      long late = pair.a().drainInterrupts();
      unless(late == 0, "A signalled %d interrupts", late);
      if (upset.revokes()) {
        lent.mapAgain();
      }
      load.checkWorks(lent.iova());
      registers.checkWorks(upset.resets());
      return seen;
    }
  }

  /** What the copies came to. */
  private String met(HbmPair pair, Load load, Lent lent) throws Exception {
    if (upset.revokes()) {
      long landed = load.landed();
      // If all copies were over before, this is the one that meets it.
      load.copyOnceMore(lent.iova());
      long at = load.checkHalted(ErrorCode.WRITE_FAULT, lent.iova());
      load.checkLanded(landed);
      return "fault at 0x%x".formatted(at);
    }
    if (upset.resets()
        && pair.initiator().channel().awaitRest(Initiator.LIMIT) == ChannelState.HALTED) {
      long at = load.checkHalted(ErrorCode.WRITE_FAULT, lent.iova());
      return "fault at 0x%x".formatted(at);
    }
    load.checkAllMade();
    return "all copies made";
  }
}
