package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.FixtureBenchmark;
import dev.peerbar.bench.fixture.Placement;
import java.util.List;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;

/**
 * Bus-master copies of a MiB in mapped memory, and as the floor, copies without an endpoint: from
 * page to page if the pages lie apart, which costs any copy more.
 */
@OperationsPerInvocation(Pieces.RUN_MIB)
public class CopyBenchmark extends FixtureBenchmark {
  @Param({"ONE_MAPPING", "PAGES", "SHUFFLED_PAGES"})
  Layout layout;

  /** Of a piece, in bytes; a power of two from 4096 to 1048576. */
  @Param({"4096", "65536", "1048576"})
  int size;

  @Override
  protected Placement placement() {
    return MappedCopies.PLACEMENT;
  }

  @Override
  protected Fixture open() throws Exception {
    MappedCopies copies = MappedCopies.open(List.of(CopyEngine.HBM), layout);
    return new Fixture(
        layout == Layout.SHUFFLED_PAGES
            ? copies.pageCopies()
            : copies.plainCopies(Pieces.ofRun(size)),
        copies.copies(CopyEngine.HBM, layout, Pieces.ofRun(size)),
        copies);
  }

  @Benchmark
  public long peerbar() throws Exception {
    return fixture().peerbar().run();
  }
}
