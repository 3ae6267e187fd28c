package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.FixtureBenchmark;
import dev.peerbar.bench.fixture.Placement;
import java.util.List;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;

/**
 * Copies of 64 bytes in mapped memory by an HBM endpoint that polls, and as the floor, the same
 * without an endpoint. One operation is a descriptor.
 */
@OperationsPerInvocation(Pieces.CHAIN)
public class PolledCopyBenchmark extends FixtureBenchmark {
  /** Of a descriptor's copy, in bytes. */
  static final int SIZE = 64;

  @Override
  protected Placement placement() {
    return PolledRing.PLACEMENT;
  }

  @Override
  protected Fixture open() throws Exception {
    return start();
  }

  /** What the two sides count is bytes. */
  static Fixture start() throws Exception {
    Pieces chain = Pieces.ofChain(SIZE);
    MappedCopies memory = MappedCopies.open(List.of());
    PolledCopies copies = memory.polledCopies(Layout.ONE_MAPPING, chain);
    return new Fixture(
        memory.plainCopies(chain),
        copies,
        () -> {
          copies.close();
          memory.close();
        });
  }

  @Benchmark
  public long peerbar() throws Exception {
    return fixture().peerbar().run();
  }
}
