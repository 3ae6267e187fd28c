package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Distribution;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import java.util.List;
import java.util.Optional;

/**
 * From the write of a doorbell to the interrupt of a descriptor that does nothing else. The floor
 * is the round trip of a message as long.
 */
public final class DoorbellComparison implements Comparison {
  private static final Aim TWO_ROUND_TRIPS = Aim.atMost(2);

  @Override
  public String name() {
    return "doorbell";
  }

  @Override
  public String about() {
    return "from a doorbell to its MSI-X interrupt";
  }

  @Override
  public void run(Bench bench) throws Exception {
    for (Placement placement : Placement.values()) {
      if (placement.possible()) {
        for (Doorbell doorbell : Doorbell.values()) {
          measure(bench, placement, doorbell);
        }
      }
    }
  }

  private static void measure(Bench bench, Placement placement, Doorbell doorbell)
      throws Exception {
    try (Fixture fixture = DoorbellBenchmark.open(doorbell, placement)) {
      List<Measured> sides =
          placement.client(() ->
              bench.compare(
                  new Side("bare socket", fixture.floor()),
                  new Side("peerbar", fixture.peerbar())));
      String path = doorbell + " to MSI-X, " + placement;
      for (int percentile : List.of(50, 99)) {
        bench.add(
            Figure.percentile(
                path, sides.get(0), sides.get(1), percentile, Optional.of(TWO_ROUND_TRIPS)));
      }
      bench.add(Distribution.of(path, sides));
    }
  }
}
