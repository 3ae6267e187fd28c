package dev.peerbar.scenario.fault;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.endpoint.DmaFaultException.Reason;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Misbehaving;
import dev.peerbar.server.fault.Fault;
import java.util.List;

/** An endpoint that writes where nobody told it to. */
final class StrayWrites {
  /**
   * Where an IOAS maps nothing by itself: far above all memory, and below the end of any IOMMU's.
   */
  private static final long NOWHERE = 1L << 37;

  private StrayWrites() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
            HbmPair.KIND,
            "fault.stray-write",
            "have B write to an address that it was never given",
            "B's own table refuses it, QEMU sees nothing of it",
            pair -> write(pair, true, "refused by the endpoint: " + Reason.UNMAPPED)),
        Case.on(
            HbmPair.KIND,
            "fault.unchecked-write",
            "have B write there without a look at its table",
            "QEMU refuses it, once",
            pair -> {
              pair.run().mayComplain(StrayWrites::tellsOfRefusal);
              return write(pair, false, "refused by the client");
            }));
  }

  /** QEMU's words for it, whichever IOMMU it is, and those of the kernel that looks after that. */
  private static boolean tellsOfRefusal(String line) {
    return line.contains("vtd_iova_to_sspte: detected sspte permission error (iova=0x2000000000,")
        || line.contains("detected translation failure")
        || line.contains("New fault is not recorded due to compression of faults")
        || line.contains("DMAR: DRHD: handling fault status reg")
        || line.contains("fault addr 0x2000000000")
        || line.contains("IO_PAGE_FAULT") && line.contains("0x2000000000");
  }

  private static String write(HbmPair pair, boolean checked, String expected) throws Exception {
    SoundPair sound = new SoundPair(pair);
    sound.checkB();
    String seen = Misbehaving.once(pair.serverB(), new Fault.StrayWrite(NOWHERE, checked));
    unless(seen.equals(expected), "%s", seen);
    sound.checkB();
    sound.checkA();
    return seen;
  }
}
