package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListenAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** An endpoint is plugged into a guest that runs. */
final class HotAdd implements Scenario<HbmPair> {
  private static final long SERIAL_NUMBER = 3;

  @Override
  public Description description() {
    return Description.of(
            "life.hot-add",
            "plug endpoint C into an empty slot, then remove it by sysfs and rescan",
            "the guest finds it by itself; B copies into C, C into A, before and after")
        .needing(HotPlugging.NATIVE, GuestFeature.DMABUF_IMPORT);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.HOT_PLUG;
  }

  /** QEMU has C until it ends. */
  @Override
  public boolean spendsGuest() {
    return true;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    Path directory = Files.createTempDirectory("peerbar-");
    Path socket = directory.resolve("c.sock");
    try (EndpointServer server = serve(socket);
        LockOrder _ = LockOrder.mayBeTold(pair)) {
      pair.run().mayComplain(new LostServer(socket));
      long start = System.nanoTime();
      ThirdEndpoint c = ThirdEndpoint.plugIn(pair, socket);
      Duration took = Duration.ofNanos(System.nanoTime() - start);
      c.checkWorks();
      c.device().close();
      c.pci().remove();
      unless(pair.guest().findInSlot(ThirdEndpoint.SLOT).isEmpty(), "C is still there");
      int mappings = server.holdings().dmaMappings();
      pair.guest().rescanPci();
      c.open();
      c.checkWorks();
      pair.run().record("plugged in and open", took);
      return "%s open after %d ms; %d DMA mappings while it was removed"
          .formatted(c.pci(), took.toMillis(), mappings);
    } finally {
      Files.deleteIfExists(directory);
    }
  }

  /** Serves an endpoint whose memory an empty slot has room for. */
  static EndpointServer serve(Path socket) throws IOException {
    HbmConfig config =
        new HbmConfig(ThirdEndpoint.BAR_SIZE, HbmPair.CHANNELS, DoorbellMode.TRAP, false);
    return EndpointServer.start(
        "hbm-c", new HbmEndpoint(config, SERIAL_NUMBER), new ListenAddress.AtPath(socket));
  }
}
