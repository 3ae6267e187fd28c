package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.FixtureBenchmark;
import dev.peerbar.bench.fixture.Floor;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.driver.socket.ClientMemory;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/**
 * DMA_MAP or DMA_UNMAP of a page while many are mapped, as a vIOMMU has them, and as the floor, a
 * round trip of the same sizes.
 */
public class MapBenchmark extends FixtureBenchmark {
  @Param({"MAP", "UNMAP"})
  DmaOperation operation;

  /** How many mappings there are. */
  @Param({"1000", "60000", "2000000"})
  int live;

  /** Whether neighbours by address lie apart in the file. */
  @Param({"false", "true"})
  boolean shuffled;

  @Param({"ONE_CPU", "TWO_CPUS"})
  Placement placement;

  @Override
  protected Placement placement() {
    return placement;
  }

  @Override
  protected Fixture open() throws Exception {
    ClientMemory memory = new ClientMemory("bench-pages", live * ClientMemory.PAGE);
    MappedPages pages = placement.server(() -> MappedPages.start(memory, live, shuffled));
    Floor floor = placement.server(() -> operation.roundTrip().startFloor());
    return new Fixture(
        operation.floor(floor, memory),
        operation.on(pages),
        () -> {
          floor.close();
          pages.close();
          memory.close();
        });
  }

  @Benchmark
  public long peerbar() throws Exception {
    return fixture().peerbar().run();
  }
}
