package dev.peerbar.bench.socket;

import com.sun.management.ThreadMXBean;
import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Benchmark;
import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.rig.Messages;
import dev.peerbar.bench.rig.Messenger;
import dev.peerbar.bench.rig.ServedEndpoint;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.Optional;

/** What the server's threads allocate for a register access, once all is compiled. */
public final class AllocationBenchmark implements Benchmark {
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
    MemorySegment read =
        Messages.request(
            1,
            Command.REGION_READ,
            false,
            new RegionRead.Request(HbmRegisters.SCRATCH, HbmRegisters.BAR, Integer.BYTES));
    MemorySegment write =
        Messages.request(
            1,
            Command.REGION_WRITE,
            false,
            new RegionWrite.Request(
                HbmRegisters.SCRATCH,
                HbmRegisters.BAR,
                Unpooled.wrappedBuffer(new byte[Integer.BYTES])));
    try (ServedEndpoint endpoint = ServedEndpoint.start(NAME, new HbmEndpoint(HbmConfig.DEFAULT));
        Messenger client = endpoint.connectBare(0)) {
      measure(
          bench,
          "4-byte register read",
          client,
          read,
          Header.SIZE + RegionRead.DATA + Integer.BYTES);
      measure(bench, "4-byte register write", client, write, Header.SIZE + RegionWrite.DATA);
    }
  }

  private static void measure(
      Bench bench, String path, Messenger client, MemorySegment request, int reply)
      throws Exception {
    repeat(client, request, reply, bench.effort().pick(WARM_UP, FEW));
    int accesses = bench.effort().pick(ACCESSES, FEW);
    long before = allocated();
    repeat(client, request, reply, accesses);
    double each = (double) (allocated() - before) / accesses;
    bench.add(Figure.alone(path, "garbage", "B", each, Optional.of(NOTHING)));
  }

  private static void repeat(Messenger client, MemorySegment request, int reply, int times)
      throws Exception {
    for (int i = 0; i < times; i++) {
      client.exchange(request, reply);
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
