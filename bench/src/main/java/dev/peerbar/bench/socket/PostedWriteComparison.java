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

/**
 * Writes that nobody waits for (No_reply), each sent by itself, as QEMU posts them. Beside it, the
 * rate at which a bare socket takes messages of the same sizes to and fro.
 */
public final class PostedWriteComparison implements Comparison {
  private static final Aim RATE = Aim.atLeast(3);

  @Override
  public String name() {
    return "posted";
  }

  @Override
  public String about() {
    return "posted register writes, single and by REGION_WRITE_MULTI";
  }

  @Override
  public void run(Bench bench) throws Exception {
    for (Placement placement : Placement.values()) {
      if (placement.possible()) {
        for (PostedWrite write : PostedWrite.values()) {
          measure(bench, placement, write);
        }
      }
    }
  }

  private static void measure(Bench bench, Placement placement, PostedWrite write)
      throws Exception {
    try (Fixture fixture = PostedWriteBenchmark.open(write, placement)) {
      List<Measured> sides =
          placement.client(() ->
              bench.compare(
                  new Side("bare socket, to and fro", fixture.floor()),
                  new Side("peerbar, posted", fixture.peerbar())));
      bench.add(
          Figure.rate(
              write + ", " + placement, "msg/s", 1, sides.get(0), sides.get(1), Optional.of(RATE)));
    }
  }
}
