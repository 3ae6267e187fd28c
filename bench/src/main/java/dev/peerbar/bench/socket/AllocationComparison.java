package dev.peerbar.bench.socket;

import dev.peerbar.bench.fixture.Commands;
import dev.peerbar.bench.fixture.Messenger;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.fixture.ServedEndpoint;
import dev.peerbar.bench.fixture.ServerThreads;
import dev.peerbar.bench.fixture.Serving;
import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.bench.nvme.NvmeOperation;
import dev.peerbar.bench.nvme.ServedNvme;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import java.util.List;
import java.util.Optional;

/**
 * What the server's threads allocate for a register access, and for a command on a block of an
 * endpoint that polls, once all is compiled.
 */
public final class AllocationComparison implements Comparison {
  private static final String NAME = "allocation";
  private static final String NVME = "nvme-" + NAME;

  /** An object takes 8 bytes at least: less than that is not what each access costs. */
  private static final Aim NOTHING = Aim.atMost(0.01);

  private static final int WARM_UP = 200_000;
  private static final int ACCESSES = 200_000;
  private static final int FEW = 2_000;

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String about() {
    return "garbage of the server for a register access, and for a command of a polled queue";
  }

  @Override
  public void run(Bench bench) throws Exception {
    try (ServedEndpoint endpoint = ServedEndpoint.start(NAME, new HbmEndpoint(HbmConfig.DEFAULT));
        Messenger client = endpoint.connectBare(0)) {
      ServerThreads threads = new ServerThreads(NAME);
      for (RegisterAccess access : List.of(RegisterAccess.READ_4, RegisterAccess.WRITE_4)) {
        measure(bench, access.toString(), threads, access.roundTrip().over(client));
      }
    }
    // Where nobody sleeps, the two ends need a processor each.
    if (Placement.TWO_CPUS.possible()) {
      for (NvmeOperation operation : NvmeOperation.values()) {
        measurePolled(bench, operation);
      }
    }
  }

  private static void measurePolled(Bench bench, NvmeOperation operation) throws Exception {
    try (ServedNvme served =
        ServedNvme.start(NVME, Placement.TWO_CPUS, Serving.POLLING.options(), operation)) {
      Commands commands = new Commands(served.queue(), 1, 1);
      Placement.TWO_CPUS.client(() -> {
        measure(
            bench,
            "%s, %s".formatted(operation, Serving.POLLING),
            new ServerThreads(NVME),
            commands);
        return null;
      });
    }
  }

  private static void measure(Bench bench, String path, ServerThreads threads, Workload accesses)
      throws Exception {
    accesses.begin();
    repeat(accesses, bench.effort().pick(WARM_UP, FEW));
    int times = bench.effort().pick(ACCESSES, FEW);
    long before = threads.allocatedBytes();
    repeat(accesses, times);
    double each = (double) (threads.allocatedBytes() - before) / times;
    accesses.end();
    bench.add(Figure.alone(path, "garbage", "B", each, Optional.of(NOTHING)));
  }

  private static void repeat(Workload accesses, int times) throws Exception {
    for (int i = 0; i < times; i++) {
      accesses.run();
    }
  }
}
