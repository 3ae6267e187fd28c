package dev.peerbar.bench.memory;

import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Benchmark;
import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import dev.peerbar.bench.harness.Work;
import dev.peerbar.bench.rig.ServedEndpoint;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.client.VfioUserClient;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * A memory BAR as its client has it: mapped, from the descriptor that the server gives. The floor
 * is a memory file of this process, as large, mapped in the same way. So both have pages of the
 * same size, huge ones only if the machine gives shared memory huge ones unasked, and what differs
 * is what the server does to its file.
 */
public final class BarBenchmark implements Benchmark {
  private static final long SIZE = 64 << 20;

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
    HbmConfig config = new HbmConfig(SIZE, 1, DoorbellMode.TRAP, false);
    try (ServedEndpoint endpoint = ServedEndpoint.start("bar", new HbmEndpoint(config));
        VfioUserClient client = endpoint.connect();
        Mapping bar = map(client);
        FileDescriptor file = SharedMemory.create("plain", SIZE);
        Mapping plain = SharedMemory.map(file, 0, SIZE, SharedMemory.Access.READ_WRITE)) {
      measure(bench, plain.segment(), bar.segment());
    }
  }

  private static Mapping map(VfioUserClient client) throws IOException, BenchmarkException {
    client.negotiate(Capabilities.DEFAULTS);
    try (var region = client.regionInfo(HbmRegisters.MEMORY_BAR)) {
      DeviceGetRegionInfo.Reply info = region.value();
      if (region.descriptors().isEmpty()) {
        throw new BenchmarkException("The server gives no descriptor for its memory BAR.");
      }
      return SharedMemory.map(
          region.descriptors().getFirst(),
          info.offset(),
          info.size(),
          SharedMemory.Access.READ_WRITE);
    }
  }

  private static void measure(Bench bench, MemorySegment plain, MemorySegment bar)
      throws Exception {
    // Every page is there before anything is timed.
    plain.fill((byte) 1);
    bar.fill((byte) 1);
    MemorySegment littlePlain = plain.asSlice(0, LITTLE);
    MemorySegment littleBar = bar.asSlice(0, LITTLE);
    cost(bench, "BAR load, anywhere", Walk::loads, plain, bar);
    cost(bench, "BAR store, anywhere", Walk::stores, plain, bar);
    cost(bench, "BAR load, cached", Walk::loads, littlePlain, littleBar);
    cost(bench, "BAR store, cached", Walk::stores, littlePlain, littleBar);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(COPY, Long.BYTES).fill((byte) 1);
      rate(bench, "copy of 1 MiB from a BAR", at -> Walk.copiesFrom(at, buffer), plain, bar);
      rate(bench, "copy of 1 MiB to a BAR", at -> Walk.copiesTo(at, buffer), plain, bar);
    }
  }

  private static void cost(
      Bench bench,
      String path,
      Function<MemorySegment, Work> walk,
      MemorySegment plain,
      MemorySegment bar)
      throws Exception {
    List<Measured> sides = compare(bench, walk, plain, bar);
    bench.add(Figure.cost(path, sides.get(0), sides.get(1), Optional.of(COST)));
  }

  private static void rate(
      Bench bench,
      String path,
      Function<MemorySegment, Work> walk,
      MemorySegment plain,
      MemorySegment bar)
      throws Exception {
    List<Measured> sides = compare(bench, walk, plain, bar);
    bench.add(
        Figure.rate(path, "GB/s", BYTES_PER_GB, sides.get(0), sides.get(1), Optional.of(RATE)));
  }

  private static List<Measured> compare(
      Bench bench, Function<MemorySegment, Work> walk, MemorySegment plain, MemorySegment bar)
      throws Exception {
    return bench.compare(
        new Side("plain memory", walk.apply(plain)), new Side("BAR", walk.apply(bar)));
  }
}
