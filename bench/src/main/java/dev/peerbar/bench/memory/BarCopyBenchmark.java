package dev.peerbar.bench.memory;

import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.FixtureBenchmark;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.harness.Workload;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/** A copy out of or into a mapped memory BAR, and as the floor, plain memory. */
public class BarCopyBenchmark extends FixtureBenchmark {

  /** Which way the bytes go. */
  public enum Direction {
    FROM,
    TO;

    Workload with(MemorySegment memory, MemorySegment buffer) {
      return this == FROM ? Walk.copiesFrom(memory, buffer) : Walk.copiesTo(memory, buffer);
    }
  }

  @Param({"FROM", "TO"})
  Direction direction;

  /** In bytes; a power of two. */
  @Param({"1048576"})
  long size;

  @Override
  protected Placement placement() {
    return Placement.ONE_CPU;
  }

  @Override
  protected Fixture open() throws Exception {
    return copies(BarAndPlain.open(), direction, size);
  }

  static Fixture copies(BarAndPlain both, Direction direction, long size) {
    MemorySegment buffer = Arena.ofAuto().allocate(size, Long.BYTES).fill((byte) 1);
    return both.walk(BarAndPlain.SIZE, memory -> direction.with(memory, buffer));
  }

  @Benchmark
  public long peerbar() throws Exception {
    return fixture().peerbar().run();
  }
}
