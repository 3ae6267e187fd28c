package dev.peerbar.scenario.p2p;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.RoundTrip;

/** Bulk copies into a peer and out of it, and a sum over its memory. */
public final class CopyThereAndBack implements Scenario<HbmPair> {
  private static final long LENGTH = 64L << 20;

  @Override
  public Description description() {
    return Description.of(
            "p2p.copy",
            "B copies 64 MiB from guest memory into A and back",
            "every byte right at both ends, CRC32C right, MSI-X for each copy")
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.KIND;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    RoundTrip copies = new RoundTrip(pair, LENGTH);
    try (Import peer = pair.importOfA(LENGTH)) {
      String seen = copies.through(peer);
      pair.initiator().checkCrc(peer.iova(), LENGTH, copies.checksum());
      return seen + " at all three places";
    }
  }
}
