package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Pending;
import dev.peerbar.server.ClientHoldings;
import dev.peerbar.server.EndpointServer;
import java.nio.file.Files;
import java.nio.file.Path;

/** One server process has the endpoints of two guests. */
final class TwoGuests implements Scenario<HbmPair> {
  @Override
  public Description description() {
    return Description.of(
            "life.two-guests",
            "boot a second guest with an endpoint of the same process; let both copy, kill the"
                + " second",
            "both copy at once; the first goes on, what the second held is freed")
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.KIND;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    Path directory = Files.createTempDirectory("peerbar-");
    Path socket = directory.resolve("other.sock");
    try (EndpointServer server = HotAdd.serve(socket);
        OtherGuest other = OtherGuest.boot(pair, socket);
        Import peer = pair.importOfA(Copying.LENGTH)) {
      Copying copying = Copying.begin(pair, peer);
      Pending copy =
          Pending.start("a copy in the other guest", () -> other.copy(pair.run().seed()));
      copying.awaitProgress();
      copy.await(ThirdEndpoint.LIMIT);
      copying.awaitProgress();
      int mappings = server.holdings().dmaMappings();
      other.beginCopies();
      other.kill();
      ClientHoldings holdings = awaitFreed(server);
      copying.awaitProgress();
      pair.initiator().restart();
      return "%d ranges were mapped in the second guest, %d when it was dead"
          .formatted(mappings, holdings.dmaMappings());
    } finally {
      Files.deleteIfExists(directory);
    }
  }

  /** What a client held that has gone: nothing, as soon as its connection's end is noticed. */
  private static ClientHoldings awaitFreed(EndpointServer server) throws Exception {
    long end = System.nanoTime() + ThirdEndpoint.LIMIT.toNanos();
    while (true) {
      ClientHoldings holdings = server.holdings();
      if (holdings.dmaMappings() == 0 && holdings.eventDescriptors().isEmpty()) {
        return holdings;
      }
      unless(System.nanoTime() < end, "still held: %s", holdings);
    }
  }
}
