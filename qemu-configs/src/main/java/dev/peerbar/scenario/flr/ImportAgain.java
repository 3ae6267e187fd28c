package dev.peerbar.scenario.flr;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.RoundTrip;

/** What a reset revoked can be had again. */
public final class ImportAgain implements Scenario<HbmPair> {
  private static final long EXPORTED = 64L << 20;
  private static final long COPY = 8L << 20;

  @Override
  public Description description() {
    return Description.of(
            "flr.import-again",
            "export and import A's memory again after a reset",
            "a copy of 8 MiB there and back is right again")
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.KIND;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    RoundTrip copies = new RoundTrip(pair, COPY);
    try (Import _ = pair.importOfA(EXPORTED)) {
      pair.deviceA().reset();
    }
    try (Import again = pair.importOfA(EXPORTED)) {
      return copies.through(again) + ", IOVA 0x%x".formatted(again.iova());
    }
  }
}
