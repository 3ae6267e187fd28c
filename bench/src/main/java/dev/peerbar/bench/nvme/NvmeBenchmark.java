package dev.peerbar.bench.nvme;

import dev.peerbar.bench.fixture.Commands;
import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.FixtureBenchmark;
import dev.peerbar.bench.fixture.Floor;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.fixture.RoundTrip;
import dev.peerbar.bench.fixture.Serving;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.devices.nvme.NvmeRegisters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;

/**
 * Commands of 4 KiB by a host that polls, and as the floor, two threads that pass flags and copy;
 * of an endpoint that waits, the round trip of a doorbell's message. One operation is a command.
 */
@OperationsPerInvocation(NvmeBenchmark.COMMANDS)
public class NvmeBenchmark extends FixtureBenchmark {
  /** Of a run. */
  static final int COMMANDS = 256;

  /** The host has one processor, the endpoint the other: both look without sleeping. */
  static final Placement PLACEMENT = Placement.TWO_CPUS;

  @Param({"READ", "WRITE"})
  NvmeOperation operation;

  /** Commands under way, 1 to 32. */
  @Param({"1", "32"})
  int depth;

  @Param({"POLLING", "WAITING"})
  Serving serving;

  @Override
  protected Placement placement() {
    return PLACEMENT;
  }

  @Override
  protected Fixture open() throws Exception {
    return open(operation, serving, depth, COMMANDS);
  }

  /**
   * @param depth commands under way
   * @param commands of a run
   */
  static Fixture open(NvmeOperation operation, Serving serving, int depth, int commands)
      throws Exception {
    ServedNvme served = ServedNvme.start("nvme", PLACEMENT, serving.options(), operation);
    Workload subject = new Commands(served.queue(), depth, commands);
    return switch (serving) {
      case POLLING -> {
        NvmeFloor floor = NvmeFloor.start(PLACEMENT, operation);
        yield new Fixture(
            new Commands(floor.queue(), depth, commands),
            subject,
            () -> {
              floor.close();
              served.close();
            });
      }
      case WAITING -> {
        RoundTrip message =
            RoundTrip.write(
                NvmeRegisters.BAR, NvmeRegisters.submissionDoorbell(1), Integer.BYTES, 1);
        Floor floor = PLACEMENT.server(message::startFloor);
        Workload roundTrip = message.over(floor.messenger());
        yield new Fixture(
            () -> {
              long done = 0;
              while (done < commands) {
                done += roundTrip.run();
              }
              return done;
            },
            subject,
            () -> {
              floor.close();
              served.close();
            });
      }
    };
  }

  @Benchmark
  public long peerbar() throws Exception {
    return fixture().peerbar().run();
  }
}
