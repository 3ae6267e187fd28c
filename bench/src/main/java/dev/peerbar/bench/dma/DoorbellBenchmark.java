package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.DrivenEndpoint;
import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.FixtureBenchmark;
import dev.peerbar.bench.fixture.Floor;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.fixture.RoundTrip;
import dev.peerbar.bench.fixture.ServedEndpoint;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.server.ServerOptions;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/**
 * From the write of a doorbell to the interrupt of a descriptor that does nothing else, and as the
 * floor, the round trip of a message as long.
 */
public class DoorbellBenchmark extends FixtureBenchmark {
  private static final int ENTRIES = 64;

  @Param({"POSTED", "REPLIED", "MAPPED"})
  Doorbell doorbell;

  @Param({"ONE_CPU", "TWO_CPUS"})
  Placement placement;

  @Override
  protected Placement placement() {
    return placement;
  }

  @Override
  protected Fixture open() throws Exception {
    return open(doorbell, placement);
  }

  static Fixture open(Doorbell doorbell, Placement placement) throws Exception {
    HbmConfig config =
        new HbmConfig(
            HbmConfig.DEFAULT.barSize(), HbmConfig.DEFAULT.channels(), doorbell.mode(), false);
    DrivenEndpoint<HbmChannel> endpoint =
        DrivenEndpoint.hbm(
            placement.server(() ->
                ServedEndpoint.start("doorbell", new HbmEndpoint(config), ServerOptions.DEFAULT)),
            ENTRIES,
            doorbell != Doorbell.REPLIED,
            _ -> {});
    for (int i = 0; i < ENTRIES; i++) {
      endpoint.channel().putAhead(i, Descriptor.nop().interrupt());
    }
    RoundTrip message = Doorbell.roundTrip();
    Floor floor = placement.server(message::startFloor);
    return new Fixture(
        message.over(floor.messenger()),
        doorbell.toInterrupt(endpoint),
        () -> {
          floor.close();
          endpoint.close();
        });
  }

  @Benchmark
  public long peerbar() throws Exception {
    return fixture().peerbar().run();
  }
}
