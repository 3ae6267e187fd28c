package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.FixtureBenchmark;
import dev.peerbar.bench.fixture.Placement;
import java.util.List;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;

/**
 * Bus-master copies in mapped memory by an I/OAT endpoint or an HBM one, and as the floor, the same
 * without an endpoint. One operation is a copy of {@code size} bytes, or of 1 MiB a 64th of one.
 */
@OperationsPerInvocation(Pieces.CHAIN)
public class IoatBenchmark extends FixtureBenchmark {
  @Param({"IOAT", "HBM"})
  CopyEngine engine;

  /** Of a descriptor's copy, in bytes: 64, 4096 or 1048576. */
  @Param({"64", "4096", "1048576"})
  int size;

  @Override
  protected Placement placement() {
    return MappedCopies.PLACEMENT;
  }

  @Override
  protected Fixture open() throws Exception {
    MappedCopies copies = MappedCopies.open(List.of(engine), Layout.ONE_MAPPING);
    Pieces chain = Pieces.ofChain(size);
    return new Fixture(
        copies.plainCopies(chain), copies.copies(engine, Layout.ONE_MAPPING, chain), copies);
  }

  @Benchmark
  public long peerbar() throws Exception {
    return fixture().peerbar().run();
  }
}
