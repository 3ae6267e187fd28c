package dev.peerbar.bench.socket;

import com.sun.management.ThreadMXBean;
import dev.peerbar.bench.fixture.Messenger;
import dev.peerbar.bench.fixture.ServedEndpoint;
import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import java.lang.management.ManagementFactory;
import java.util.Optional;

/** What the server's threads allocate for a register access, once all is compiled. */
public final class AllocationComparison implements Comparison {
  private static final String NAME = "allocation";
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

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
    return "garbage of the server for a register access";
  }

  @Override
  public void run(Bench bench) throws Exception {
    try (ServedEndpoint endpoint = ServedEndpoint.start(NAME, new HbmEndpoint(HbmConfig.DEFAULT));
        Messenger client = endpoint.connectBare(0)) {
      measure(bench, RegisterAccess.READ_4, client);
      measure(bench, RegisterAccess.WRITE_4, client);
    }
  }

  private static void measure(Bench bench, RegisterAccess access, Messenger client)
      throws Exception {
    Workload accesses = access.roundTrip().over(client);
    repeat(accesses, bench.effort().pick(WARM_UP, FEW));
    int times = bench.effort().pick(ACCESSES, FEW);
    long before = allocated();
    repeat(accesses, times);
    double each = (double) (allocated() - before) / times;
    bench.add(Figure.alone(access.toString(), "garbage", "B", each, Optional.of(NOTHING)));
  }

  private static void repeat(Workload accesses, int times) throws Exception {
    for (int i = 0; i < times; i++) {
      accesses.run();
    }
  }

  /** Bytes that the threads named after the endpoint have allocated since they began. */
  private static long allocated() throws BenchmarkException {
    long[] threads =
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().startsWith(NAME))
            .mapToLong(Thread::threadId)
            .toArray();
    if (threads.length == 0 || !THREADS.isThreadAllocatedMemoryEnabled()) {
      throw new BenchmarkException("This JVM does not tell what the server's threads allocate.");
    }
    long bytes = 0;
    for (long allocated : THREADS.getThreadAllocatedBytes(threads)) {
      bytes += allocated;
    }
    return bytes;
  }
}
