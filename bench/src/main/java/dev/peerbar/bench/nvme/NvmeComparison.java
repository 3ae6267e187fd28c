package dev.peerbar.bench.nvme;

import dev.peerbar.bench.fixture.Commands;
import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.ServerThreads;
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
 * Commands of 4 KiB on an NVMe endpoint, by a host over the wire that polls: of an endpoint that
 * polls, beside two threads that pass flags and copy; of one that waits, beside the round trip of a
 * message. And what the one that waits takes while nothing comes.
 */
public final class NvmeComparison implements Comparison {
  private static final Aim TWICE = Aim.atMost(2);
  private static final Aim HALF = Aim.atLeast(0.5);

  /** Less in 10 s than the tick of 10 ms by which the system tells what processes take. */
  private static final Aim NO_TICK = Aim.atMost(0.1);

  private static final int SINGLE = 1;
  private static final double MILLION = 1e6;
  private static final double PERCENT = 100;

  private static final int IDLE_MILLIS = 10_000;
  private static final int QUICK_IDLE_MILLIS = 100;
  private static final int REST_MILLIS = 1_000;
  private static final int QUICK_REST_MILLIS = 10;

  @Override
  public String name() {
    return "nvme";
  }

  @Override
  public String about() {
    return "4 KiB commands on an NVMe endpoint, by a host that polls";
  }

  @Override
  public void run(Bench bench) throws Exception {
    for (NvmeOperation operation : NvmeOperation.values()) {
      polled(bench, operation);
      pipelined(bench, operation);
    }
    waiting(bench);
    idle(bench);
  }

  private static Optional<Aim> ofReads(NvmeOperation operation, Aim aim) {
    return operation == NvmeOperation.READ ? Optional.of(aim) : Optional.empty();
  }

  private static void polled(Bench bench, NvmeOperation operation) throws Exception {
    try (Fixture fixture = NvmeBenchmark.open(operation, Serving.POLLING, SINGLE, SINGLE)) {
      report(
          bench,
          "%s, depth 1, %s".formatted(operation, Serving.POLLING),
          compare(bench, "flags and a copy", fixture),
          ofReads(operation, TWICE));
    }
  }

  private static void waiting(Bench bench) throws Exception {
    try (Fixture fixture =
        NvmeBenchmark.open(NvmeOperation.READ, Serving.WAITING, SINGLE, SINGLE)) {
      report(
          bench,
          "%s, depth 1, %s".formatted(NvmeOperation.READ, Serving.WAITING),
          compare(bench, "bare socket", fixture),
          Optional.of(TWICE));
    }
  }

  private static void pipelined(Bench bench, NvmeOperation operation) throws Exception {
    try (Fixture fixture =
        NvmeBenchmark.open(
            operation, Serving.POLLING, ServedNvme.DEEPEST, NvmeBenchmark.COMMANDS)) {
      List<Measured> sides = compare(bench, "flags and copies", fixture);
      bench.add(
          Figure.rate(
              "%s, depth %d, %s".formatted(operation, ServedNvme.DEEPEST, Serving.POLLING),
              "M/s",
              MILLION,
              sides.get(0),
              sides.get(1),
              ofReads(operation, HALF)));
    }
  }

  private static List<Measured> compare(Bench bench, String floor, Fixture fixture)
      throws Exception {
    return NvmeBenchmark.PLACEMENT.client(() ->
        bench.compare(new Side(floor, fixture.floor()), new Side("peerbar", fixture.peerbar())));
  }

  /**
   * @param mean what that is to be
   */
  private static void report(Bench bench, String path, List<Measured> sides, Optional<Aim> mean) {
    bench.add(Figure.mean(path, sides.get(0), sides.get(1), mean));
    for (int percentile : List.of(50, 99)) {
      bench.add(Figure.percentile(path, sides.get(0), sides.get(1), percentile, Optional.empty()));
    }
    bench.add(Distribution.of(path, sides));
  }

  /** The host has just been served, keeps its queues and rings for nothing. */
  private static void idle(Bench bench) throws Exception {
    String name = "idle-nvme";
    try (ServedNvme served =
        ServedNvme.start(
            name, NvmeBenchmark.PLACEMENT, Serving.WAITING.options(), NvmeOperation.READ)) {
      Commands commands = new Commands(served.queue(), SINGLE, SINGLE);
      commands.begin();
      commands.end();
      ServerThreads threads = new ServerThreads(name);
      Thread.sleep(bench.effort().pick(REST_MILLIS, QUICK_REST_MILLIS));
      long before = threads.processorNanos();
      long begin = System.nanoTime();
      Thread.sleep(bench.effort().pick(IDLE_MILLIS, QUICK_IDLE_MILLIS));
      long elapsed = System.nanoTime() - begin;
      long taken = threads.processorNanos() - before;
      bench.add(
          Figure.alone(
              "idle endpoint, %s".formatted(Serving.WAITING),
              "CPU",
              "%",
              PERCENT * taken / elapsed,
              Optional.of(NO_TICK)));
    }
  }
}
