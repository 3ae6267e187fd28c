package dev.peerbar.bench.socket;

import dev.peerbar.bench.fixture.EndpointAndFloor;
import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.FixtureBenchmark;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.server.ServerOptions;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;

/**
 * A message that writes registers: posted with {@value PostedWrite#WINDOW} at a time in the socket,
 * and as the floor, waited for.
 */
public class PostedWriteBenchmark extends FixtureBenchmark {
  @Param({"SINGLE", "MULTI_16"})
  PostedWrite write;

  @Param({"ONE_CPU", "TWO_CPUS"})
  Placement placement;

  @Override
  protected Placement placement() {
    return placement;
  }

  @Override
  protected Fixture open() throws Exception {
    return open(write, placement);
  }

  static Fixture open(PostedWrite write, Placement placement) throws Exception {
    EndpointAndFloor both =
        EndpointAndFloor.start("posted", placement, ServerOptions.DEFAULT, write.roundTrip());
    return new Fixture(both.fixture().floor(), write.posted(both.client()), both);
  }

  /** One of the messages of a window. */
  @Benchmark
  @OperationsPerInvocation(PostedWrite.WINDOW)
  public long peerbar() throws Exception {
    return fixture().peerbar().run();
  }
}
