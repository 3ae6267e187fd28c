package dev.peerbar.bench.memory;

import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.FixtureBenchmark;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.harness.Workload;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;

/** A load or store of 8 bytes in a mapped memory BAR, and as the floor, in plain memory. */
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(Walk.STEPS)
public class BarAccessBenchmark extends FixtureBenchmark {

  /** What is done. */
  public enum Access {
    LOAD,
    STORE;

    Workload in(MemorySegment memory) {
      return this == LOAD ? Walk.loads(memory) : Walk.stores(memory);
    }
  }

  @Param({"LOAD", "STORE"})
  Access access;

  /** How much memory is accessed, in bytes: what a processor caches nearest, and all of it. */
  @Param({"16384", "67108864"})
  long workingSet;

  @Override
  protected Placement placement() {
    return Placement.ONE_CPU;
  }

  @Override
  protected Fixture open() throws Exception {
    return BarAndPlain.open().walk(workingSet, access::in);
  }

  @Benchmark
  public long peerbar() throws Exception {
    return fixture().peerbar().run();
  }
}
