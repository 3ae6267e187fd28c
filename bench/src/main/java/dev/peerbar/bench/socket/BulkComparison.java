package dev.peerbar.bench.socket;

import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import java.util.List;
import java.util.Optional;

/** A memory BAR read and written by messages, beside a bare socket that moves as many bytes. */
public final class BulkComparison implements Comparison {
  private static final Aim RATE = Aim.atLeast(0.7);
  private static final int KIB = 1024;
  private static final int[] SIZES = {64 * KIB, 1024 * KIB};
  private static final double BYTES_PER_GB = 1e9;

  @Override
  public String name() {
    return "bulk";
  }

  @Override
  public String about() {
    return "64 KiB and 1 MiB of a memory BAR in a message";
  }

  @Override
  public void run(Bench bench) throws Exception {
    for (Placement placement : Placement.values()) {
      if (placement.possible()) {
        for (int size : SIZES) {
          measure(bench, placement, MemoryAccess.READ, size);
          measure(bench, placement, MemoryAccess.WRITE, size);
        }
      }
    }
  }

  private static void measure(Bench bench, Placement placement, MemoryAccess access, int size)
      throws Exception {
    try (Fixture fixture = BulkBenchmark.open(access, size, placement)) {
      List<Measured> sides =
          placement.client(() ->
              bench.compare(
                  new Side("bare socket", fixture.floor()),
                  new Side("peerbar", fixture.peerbar())));
      bench.add(
          Figure.rate(
              "memory BAR %s of %d KiB, %s".formatted(access, size / KIB, placement),
              "GB/s",
              BYTES_PER_GB,
              sides.get(0),
              sides.get(1),
              Optional.of(RATE)));
    }
  }
}
