package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.FixtureBenchmark;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.server.dma.MessageLimits;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;

/**
 * Bus-master copies of a MiB by DMA_READ or DMA_WRITE, and as the floor, with one message of 4 KiB
 * at a time.
 */
@OperationsPerInvocation(MessageCopies.RUN_MIB)
public class MessagesBenchmark extends FixtureBenchmark {
  @Param({"READ", "WRITE"})
  Direction direction;

  /** Of a message's data, in bytes. */
  @Param({"4096", "32768", "65536"})
  int size;

  /** How many messages may wait for their reply. */
  @Param({"8"})
  int inFlight;

  @Param({"ONE_CPU", "TWO_CPUS"})
  Placement placement;

  @Override
  protected Placement placement() {
    return placement;
  }

  @Override
  protected Fixture open() throws Exception {
    MessageCopies copies = MessageCopies.open(placement);
    return new Fixture(
        copies.copies(direction, MessageCopies.ONE_PAGE),
        copies.copies(direction, new MessageLimits(size, size, inFlight)),
        copies);
  }

  @Benchmark
  public long peerbar() throws Exception {
    return fixture().peerbar().run();
  }
}
