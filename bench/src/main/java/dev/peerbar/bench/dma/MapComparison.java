package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Floor;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Curve;
import dev.peerbar.bench.harness.Distribution;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import dev.peerbar.driver.socket.ClientMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * DMA_MAP and DMA_UNMAP of pages of a client's memory while many are mapped, as a vIOMMU has them.
 * The floor of a DMA_MAP carries a descriptor too.
 */
public final class MapComparison implements Comparison {
  private static final Aim ROUND_TRIP = Aim.atMost(1.5);
  private static final Aim FLAT = Aim.atMost(1.3);

  /** What a mapping may take of the heap where none goes on where another ends, in bytes. */
  private static final Aim FEW_BYTES = Aim.atMost(50);

  /** With fewer, what else the heap gains or loses meanwhile is more than they take. */
  private static final int ENOUGH_TO_WEIGH = 500_000;

  @Override
  public String name() {
    return "map";
  }

  @Override
  public String about() {
    return "DMA_MAP and DMA_UNMAP of 4 KiB pages beside few and many others";
  }

  @Override
  public void run(Bench bench) throws Exception {
    int[] live = {1_000, bench.effort().pick(60_000, 2_000), bench.effort().pick(2_000_000, 4_000)};
    for (Placement placement : Placement.values()) {
      if (placement.possible()) {
        measure(bench, placement, false, live);
        if (placement == Placement.ONE_CPU) {
          measure(bench, placement, true, live);
        }
      }
    }
  }

  private static void measure(Bench bench, Placement placement, boolean shuffled, int[] live)
      throws Exception {
    List<MappedPages> tables = new ArrayList<>();
    try (ClientMemory memory =
        new ClientMemory("bench-pages", live[live.length - 1] * ClientMemory.PAGE)) {
      for (int pages : live) {
        tables.add(placement.server(() -> MappedPages.start(memory, pages, shuffled)));
      }
      MappedPages most = tables.getLast();
      if (placement == Placement.ONE_CPU && most.count() >= ENOUGH_TO_WEIGH) {
        bench.add(
            Figure.alone(
                most.count() + (shuffled ? " mappings, shuffled" : " mappings"),
                "heap for each",
                "B",
                most.heapBytes(),
                Optional.of(FEW_BYTES)));
      }
      for (DmaOperation operation : DmaOperation.values()) {
        try (Floor floor = placement.server(() -> operation.roundTrip().startFloor())) {
          List<Side> sides = new ArrayList<>();
          sides.add(new Side("bare socket", operation.floor(floor, memory)));
          for (MappedPages table : tables) {
            sides.add(new Side(table.count() + " mappings", operation.on(table)));
          }
          String path = operation + (shuffled ? ", shuffled, " : ", ") + placement;
          report(
              bench, path, live, placement.client(() -> bench.compare(sides.toArray(Side[]::new))));
        }
      }
    } finally {
      for (MappedPages table : tables) {
        table.close();
      }
    }
  }

  private static void report(Bench bench, String path, int[] live, List<Measured> sides) {
    Measured floor = sides.getFirst();
    List<Curve.Point> points = new ArrayList<>();
    for (int i = 0; i < live.length; i++) {
      Measured side = sides.get(i + 1);
      Figure figure =
          Figure.percentile(path + ", " + side.name(), floor, side, 50, Optional.of(ROUND_TRIP));
      bench.add(figure);
      points.add(new Curve.Point(live[i], figure.ratio().orElseThrow().median()));
    }
    bench.add(
        Figure.percentile(
            path + ", most beside fewest", sides.get(1), sides.getLast(), 50, Optional.of(FLAT)));
    bench.add(Distribution.of(path, sides));
    bench.add(
        new Curve(
            path,
            "live mappings",
            "round trips of the bare socket",
            true,
            List.of(new Curve.Line("peerbar", points))));
  }
}
