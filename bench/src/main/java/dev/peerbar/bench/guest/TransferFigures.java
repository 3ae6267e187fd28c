package dev.peerbar.bench.guest;

import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import dev.peerbar.bench.harness.TimedWorkload;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.Pattern;
import java.util.List;
import java.util.Optional;

/** What masters the bus: B beside QEMU's nvme, to and from each kind of memory. */
final class TransferFigures {
  private static final double MIB = 1 << 20;

  /** Of what QEMU moves 8 bytes at a time: tens of milliseconds. */
  private static final long SLOW_TRANSFER = 1L << 20;

  private final Bench bench;
  private final GuestFixture fixture;
  private final EndpointInitiator endpoint;
  private final NvmeInitiator nvme;
  private long seed;

  TransferFigures(Bench bench, GuestFixture fixture) {
    this.bench = bench;
    this.fixture = fixture;
    this.endpoint = fixture.endpointInitiator();
    this.nvme = fixture.inProcessInitiator();
  }

  void measure() throws Exception {
    DmaRange ram = fixture.ram().slice(0, GuestFixture.TRANSFER);
    between("guest memory", ram);
    between("ivshmem", fixture.inProcessMemory().slice(0, GuestFixture.TRANSFER));
    between("a peer endpoint", fixture.endpointMemory().slice(0, SLOW_TRANSFER));
    DmaRange other = fixture.ram().slice(GuestFixture.TRANSFER, GuestFixture.TRANSFER);
    compare("DMA in guest memory, beside nvme", nvme.write(ram), endpoint.move(other, ram));
  }

  private void between(String name, DmaRange range) throws Exception {
    for (Initiator initiator : List.of(nvme, endpoint)) {
      check(initiator, range);
    }
    compare("DMA to %s, beside nvme".formatted(name), nvme.write(range), endpoint.write(range));
    compare("DMA from %s, beside nvme".formatted(name), nvme.read(range), endpoint.read(range));
  }

  private void compare(String path, TimedWorkload theirs, TimedWorkload ours) throws Exception {
    List<Measured> sides =
        bench.compare(Side.keepingTime("QEMU's nvme", theirs), Side.keepingTime("endpoint", ours));
    bench.add(Figure.rate(path, "MiB/s", MIB, sides.get(0), sides.get(1), Optional.empty()));
  }

  /** What is measured has to be right first. */
  private void check(Initiator initiator, DmaRange range) throws Exception {
    var own = initiator.own().asSlice(0, range.length());
    Pattern.fill(own, ++seed);
    range.clear();
    initiator.write(range).run();
    require(Pattern.verify(range, seed).isEmpty(), "to", initiator);
    Pattern.fill(range, ++seed);
    initiator.read(range).run();
    require(Pattern.mismatch(own, seed) == range.length(), "from", initiator);
  }

  private static void require(boolean right, String direction, Initiator initiator)
      throws BenchmarkException {
    if (!right) {
      throw new BenchmarkException(
          "DMA %s memory by %s moved other bytes".formatted(direction, initiator.name()));
    }
  }
}
