package dev.peerbar.bench.endpoints;

import dev.peerbar.bench.fixture.Messenger;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.fixture.RoundTrip;
import dev.peerbar.bench.fixture.ServingProcess;
import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Distribution;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.bench.socket.RegisterAccess;
import dev.peerbar.driver.socket.ClientMemory;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Reads a register of one endpoint of a process that serves many, beside one of a process that
 * serves no other. The others have nothing to do, or all of their engines copy.
 */
public final class EndpointsComparison implements Comparison {
  /** Nothing but the number of endpoints is to differ, so nothing is left to the scheduler. */
  private static final Placement HERE = Placement.ONE_CPU;

  private static final int[] MANY = {8, 64};
  private static final long BAR_SIZE = 1 << 20;
  private static final long PAGE = 4096;

  /** By one copy of each endpoint, so that a ring is a matter of minutes however many these are. */
  private static final long COPIED = 64 << 20;

  private static final Aim IDLE = Aim.atMost(1.05);

  private static final RoundTrip READ = RegisterAccess.READ_4.roundTrip();

  @Override
  public String name() {
    return "endpoints";
  }

  @Override
  public String about() {
    return "a register read of one of 8 and of 64 endpoints in one process";
  }

  @Override
  public void run(Bench bench) throws Exception {
    try (ServingProcess one = HERE.server(() -> ServingProcess.start(1, BAR_SIZE));
        Messenger floor = one.connectBare(0)) {
      for (int count : MANY) {
        try (ServingProcess many = HERE.server(() -> ServingProcess.start(count, BAR_SIZE));
            Messenger subject = many.connectBare(0)) {
          idle(bench, floor, subject, count);
          copying(bench, floor, subject, many, count);
        }
      }
    }
  }

  private static void idle(Bench bench, Messenger floor, Messenger subject, int count)
      throws Exception {
    Side one = new Side("1 endpoint", READ.over(floor));
    Side many = new Side("one of %d, idle".formatted(count), READ.over(subject));
    report(
        bench,
        "register read, one of %d idle, %s".formatted(count, HERE),
        HERE.client(() -> bench.compare(one, many)),
        Optional.of(IDLE));
  }

  private static void copying(
      Bench bench, Messenger floor, Messenger subject, ServingProcess process, int count)
      throws Exception {
    List<Copies> copies = new ArrayList<>();
    long length = COPIED / (count - 1) & -PAGE;
    try (ClientMemory ring = Copies.ring(length)) {
      for (int other = 1; other < count; other++) {
        copies.add(Copies.prepare(process.connect(other), ring, length));
      }
      for (Copies each : copies) {
        each.start();
      }
      process.freeze();
      Side one = new Side("1 endpoint", READ.over(floor));
      Side many =
          new Side("one of %d, copying".formatted(count), inTurns(READ.over(subject), process));
      report(
          bench,
          "register read, others of %d copy, %s".formatted(count, HERE),
          // Warm from the comparison before. A read may take longer than a turn is to.
          HERE.client(() -> bench.compareWarm(one, many)),
          Optional.empty());
      process.thaw();
      // One stands for all: their shares of the processor are the same.
      if (!copies.getFirst().running()) {
        throw new BenchmarkException("The endpoints had copied all before the end.");
      }
    } finally {
      copies.forEach(Copies::close);
    }
  }

  private static void report(Bench bench, String path, List<Measured> sides, Optional<Aim> aim) {
    bench.add(Figure.percentile(path, sides.get(0), sides.get(1), 50, aim));
    bench.add(Distribution.of(path, sides));
  }

  /** The other side has the processors for itself while it has its turn. */
  private static Workload inTurns(Workload work, ServingProcess process) {
    return new Workload() {
      @Override
      public void begin() throws IOException, InterruptedException {
        process.thaw();
      }

      @Override
      public long run() throws Exception {
        return work.run();
      }

      @Override
      public void end() throws IOException, InterruptedException {
        process.freeze();
      }
    };
  }
}
