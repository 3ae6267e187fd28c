package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.fixture.Serving;
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
 * is the round trip of a message as long. And where nobody sleeps, to the completion record, beside
 * a flag that is passed to and fro.
 */
public final class DoorbellComparison implements Comparison {
  private static final Aim TWICE = Aim.atMost(2);
  private static final Aim FOUR_TIMES = Aim.atMost(4);

  @Override
  public String name() {
    return "doorbell";
  }

  @Override
  public String about() {
    return "from a doorbell to its MSI-X interrupt, or its record";
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
    if (PolledRing.PLACEMENT.possible()) {
      measurePolled(bench);
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
            Figure.percentile(path, sides.get(0), sides.get(1), percentile, Optional.of(TWICE)));
      }
      bench.add(Distribution.of(path, sides));
    }
  }

  private static void measurePolled(Bench bench) throws Exception {
    try (Fixture fixture = PolledDoorbellBenchmark.open(1)) {
      List<Measured> sides =
          PolledRing.PLACEMENT.client(() ->
              bench.compare(
                  new Side("flags", fixture.floor()), new Side("peerbar", fixture.peerbar())));
      String path = "mapped doorbell to record, %s".formatted(Serving.POLLING);
      Measured flags = sides.get(0);
      Measured records = sides.get(1);
      bench.add(Figure.percentile(path, flags, records, 50, Optional.of(TWICE)));
      bench.add(Figure.percentile(path, flags, records, 99, Optional.of(FOUR_TIMES)));
      bench.add(Distribution.of(path, sides));
    }
  }
}
