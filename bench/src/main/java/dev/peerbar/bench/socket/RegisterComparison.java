package dev.peerbar.bench.socket;

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

/** Reads and writes of registers, one at a time, each waiting for its reply. */
public final class RegisterComparison implements Comparison {
  private static final Aim WAITING = Aim.atMost(1.05);
  private static final Aim POLLING = Aim.atMost(0.8);

  @Override
  public String name() {
    return "register";
  }

  @Override
  public String about() {
    return "4- and 8-byte register reads and writes over the socket";
  }

  @Override
  public void run(Bench bench) throws Exception {
    for (Placement placement : Placement.values()) {
      if (placement.possible()) {
        for (RegisterAccess access : RegisterAccess.values()) {
          measure(bench, placement, access);
        }
      }
    }
  }

  private static void measure(Bench bench, Placement placement, RegisterAccess access)
      throws Exception {
    try (Fixture waiting = RegisterBenchmark.open(access, placement, Receiving.WAITING)) {
      Side floor = new Side("bare socket", waiting.floor());
      Side sleeper = new Side(Receiving.WAITING.toString(), waiting.peerbar());
      if (placement == Placement.ONE_CPU) {
        // Who looks for a message keeps its sender from running if there is but one processor.
        compare(bench, placement, access, floor, sleeper);
        return;
      }
      try (Fixture polling = RegisterBenchmark.open(access, placement, Receiving.BUSY_POLL)) {
        Side poller = new Side(Receiving.BUSY_POLL.toString(), polling.peerbar());
        compare(bench, placement, access, floor, sleeper, poller);
      }
    }
  }

  private static void compare(
      Bench bench, Placement placement, RegisterAccess access, Side... sides) throws Exception {
    List<Measured> all = placement.client(() -> bench.compare(sides));
    for (Measured subject : all.subList(1, all.size())) {
      String path = "%s, %s, %s".formatted(access, placement, subject.name());
      Aim aim = subject.name().equals(Receiving.WAITING.toString()) ? WAITING : POLLING;
      bench.add(Figure.percentile(path, all.getFirst(), subject, 50, Optional.of(aim)));
      bench.add(Figure.percentile(path, all.getFirst(), subject, 99, Optional.empty()));
    }
    bench.add(Distribution.of(access + ", " + placement, all));
  }
}
