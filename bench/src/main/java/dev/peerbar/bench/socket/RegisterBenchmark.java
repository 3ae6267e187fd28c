package dev.peerbar.bench.socket;

import dev.peerbar.bench.fixture.EndpointAndFloor;
import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.FixtureBenchmark;
import dev.peerbar.bench.fixture.Placement;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/** A read or write of a register, and its reply. */
public class RegisterBenchmark extends FixtureBenchmark {
  @Param({"READ_4", "READ_8", "WRITE_4", "WRITE_8"})
  RegisterAccess access;

  @Param({"ONE_CPU", "TWO_CPUS"})
  Placement placement;

  @Param({"WAITING", "BUSY_POLL"})
  Receiving receiving;

  @Override
  protected Placement placement() {
    return placement;
  }

  @Override
  protected Fixture open() throws Exception {
    return open(access, placement, receiving);
  }

  static Fixture open(RegisterAccess access, Placement placement, Receiving receiving)
      throws Exception {
    return EndpointAndFloor.start("register", placement, receiving.options(), access.roundTrip())
        .fixture();
  }

  @Benchmark
  public long peerbar() throws Exception {
    return fixture().peerbar().run();
  }
}
