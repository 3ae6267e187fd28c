package dev.peerbar.bench.guest;

import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import dev.peerbar.bench.harness.TimedWork;
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
  private final GuestRig rig;
  private final EndpointInitiator endpoint;
  private final NvmeInitiator nvme;
  private long seed;

  TransferFigures(Bench bench, GuestRig rig) {
    this.bench = bench;
    this.rig = rig;
    this.endpoint = rig.endpointInitiator();
    this.nvme = rig.inProcessInitiator();
  }

  void measure() throws Exception {
    DmaRange ram = rig.ram().slice(0, GuestRig.TRANSFER);
    between("guest memory", ram);
    between("ivshmem", rig.inProcessMemory().slice(0, GuestRig.TRANSFER));
    between("a peer endpoint", rig.endpointMemory().slice(0, SLOW_TRANSFER));
    DmaRange other = rig.ram().slice(GuestRig.TRANSFER, GuestRig.TRANSFER);
    compare("DMA in guest memory, beside nvme", nvme.write(ram), endpoint.move(other, ram));
  }

  private void between(String name, DmaRange range) throws Exception {
    for (Initiator initiator : List.of(nvme, endpoint)) {
      check(initiator, range);
    }
    compare("DMA to %s, beside nvme".formatted(name), nvme.write(range), endpoint.write(range));
    compare("DMA from %s, beside nvme".formatted(name), nvme.read(range), endpoint.read(range));
  }

  private void compare(String path, TimedWork theirs, TimedWork ours) throws Exception {
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
