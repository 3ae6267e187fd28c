package dev.peerbar.bench.socket;

import dev.peerbar.bench.fixture.EndpointAndFloor;
import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.FixtureBenchmark;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.server.ServerOptions;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/** A message that reads or writes much of a memory BAR. */
public class BulkBenchmark extends FixtureBenchmark {
  @Param({"READ", "WRITE"})
  MemoryAccess access;

  /** In bytes. */
  @Param({"65536", "1048576"})
  int size;

  @Param({"ONE_CPU", "TWO_CPUS"})
  Placement placement;

  @Override
  protected Placement placement() {
    return placement;
  }

  @Override
  protected Fixture open() throws Exception {
    return open(access, size, placement);
  }

  static Fixture open(MemoryAccess access, int size, Placement placement) throws Exception {
    return EndpointAndFloor.start("bulk", placement, ServerOptions.DEFAULT, access.roundTrip(size))
        .fixture();
  }

  @Benchmark
  public long peerbar() throws Exception {
    return fixture().peerbar().run();
  }
}
