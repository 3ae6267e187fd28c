package dev.peerbar.scenario.p2p;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.GuestAgent.Polled;
import dev.peerbar.lab.guest.GuestAgent.Poller;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.RoundTrip;

/** A function answers for its registers while it masters the bus. */
public final class CopyWhilePolling implements Scenario<HbmPair> {
  private static final long LENGTH = 64L << 20;

  @Override
  public Description description() {
    return Description.of(
            "p2p.copy-while-polling",
            "B copies 64 MiB into A and back while the guest polls a register of B",
            "every byte right at both ends, and no read of the register fails")
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.KIND;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    RoundTrip copies = new RoundTrip(pair, LENGTH);
    var registers = pair.deviceB().bar(HbmRegisters.BAR);
    try (Import peer = pair.importOfA(LENGTH);
        Poller poller = registers.poll(HbmRegisters.STATUS, AccessWidth.DWORD)) {
      String seen = copies.through(peer);
      Polled polled = poller.stop();
      unless(
          polled.signal() == 0 && polled.loads() > 0 && (polled.last() & 1) == 1,
          "the poller: %s",
          polled);
      pair.run().record("reads of the register", polled.loads());
      pair.run().record("longest read", polled.longest());
      return "%s; %d reads, the longest %d ms"
          .formatted(seen, polled.loads(), polled.longest().toMillis());
    }
  }
}
