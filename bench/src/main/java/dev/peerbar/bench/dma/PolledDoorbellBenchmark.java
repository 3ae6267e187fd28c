package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Commands;
import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.FixtureBenchmark;
import dev.peerbar.bench.fixture.FlagFloor;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.devices.hbm.Descriptor;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;

/**
 * From the store of a mapped doorbell to the completion record of a descriptor that does nothing
 * else, by an HBM endpoint that polls, and as the floor, two threads that pass a flag to and fro.
 */
@OperationsPerInvocation(PolledDoorbellBenchmark.TURNS)
public class PolledDoorbellBenchmark extends FixtureBenchmark {
  /** Of a run. */
  static final int TURNS = 256;

  private static final int ENTRIES = 64;

  @Override
  protected Placement placement() {
    return PolledRing.PLACEMENT;
  }

  @Override
  protected Fixture open() throws Exception {
    return open(TURNS);
  }

  /**
   * @param turns of a run, one after the other
   */
  static Fixture open(int turns) throws Exception {
    PolledRing ring = PolledRing.start(ENTRIES, 1, _ -> {}, _ -> Descriptor.nop());
    FlagFloor floor =
        PolledRing.PLACEMENT.server(() -> FlagFloor.start(ENTRIES, FlagFloor.Move.NOTHING));
    return new Fixture(
        new Commands(floor, 1, turns),
        new Commands(ring, 1, turns),
        () -> {
          floor.close();
          ring.close();
        });
  }

  @Benchmark
  public long peerbar() throws Exception {
    return fixture().peerbar().run();
  }
}
