package dev.peerbar.bench.memory;

import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import java.util.List;
import java.util.Optional;

/** A memory BAR as its client has it: mapped. */
public final class BarComparison implements Comparison {
  /** Stays in the cache next to the processor. */
  private static final long LITTLE = 16 << 10;

  private static final long COPY = 1 << 20;
  private static final double BYTES_PER_GB = 1e9;
  private static final Aim COST = Aim.atMost(1.05);
  private static final Aim RATE = Aim.atLeast(0.95);

  @Override
  public String name() {
    return "bar";
  }

  @Override
  public String about() {
    return "loads, stores and copies in a mapped memory BAR";
  }

  @Override
  public void run(Bench bench) throws Exception {
    try (BarAndPlain both = BarAndPlain.open()) {
      cost(bench, "BAR load, anywhere", both.walk(BarAndPlain.SIZE, Walk::loads));
      cost(bench, "BAR store, anywhere", both.walk(BarAndPlain.SIZE, Walk::stores));
      cost(bench, "BAR load, cached", both.walk(LITTLE, Walk::loads));
      cost(bench, "BAR store, cached", both.walk(LITTLE, Walk::stores));
      rate(
          bench,
          "copy of 1 MiB from a BAR",
          BarCopyBenchmark.copies(both, BarCopyBenchmark.Direction.FROM, COPY));
      rate(
          bench,
          "copy of 1 MiB to a BAR",
          BarCopyBenchmark.copies(both, BarCopyBenchmark.Direction.TO, COPY));
    }
  }

  private static void cost(Bench bench, String path, Fixture fixture) throws Exception {
    List<Measured> sides = compare(bench, fixture);
    bench.add(Figure.cost(path, sides.get(0), sides.get(1), Optional.of(COST)));
  }

  private static void rate(Bench bench, String path, Fixture fixture) throws Exception {
    List<Measured> sides = compare(bench, fixture);
    bench.add(
        Figure.rate(path, "GB/s", BYTES_PER_GB, sides.get(0), sides.get(1), Optional.of(RATE)));
  }

  private static List<Measured> compare(Bench bench, Fixture fixture) throws Exception {
    return bench.compare(
        new Side("plain memory", fixture.floor()), new Side("BAR", fixture.peerbar()));
  }
}
