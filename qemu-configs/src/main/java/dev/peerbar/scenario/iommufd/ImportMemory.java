package dev.peerbar.scenario.iommufd;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;

/** An IOAS takes a DMABUF of a BAR. */
public final class ImportMemory implements Scenario<HbmPair> {
  private static final long LENGTH = 64L << 20;

  @Override
  public Description description() {
    return Description.of(
            "iommufd.import",
            "export A's BAR 2 as a DMABUF and import it",
            "the IOAS gives it an IOVA")
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.KIND;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    try (Import peer = pair.importOfA(LENGTH)) {
      return "%d MiB at IOVA 0x%x".formatted(peer.length() >> 20, peer.iova());
    }
  }
}
