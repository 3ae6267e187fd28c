package dev.peerbar.bench.socket;

import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Benchmark;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import dev.peerbar.bench.harness.Work;
import dev.peerbar.bench.rig.Floor;
import dev.peerbar.bench.rig.Messages;
import dev.peerbar.bench.rig.Messenger;
import dev.peerbar.bench.rig.Placement;
import dev.peerbar.bench.rig.ServedEndpoint;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/** A memory BAR read and written by messages, beside a bare socket that moves as many bytes. */
public final class BulkBenchmark implements Benchmark {
  private static final Aim RATE = Aim.atLeast(0.7);
  private static final int KIB = 1024;
  private static final int[] SIZES = {64 * KIB, 1024 * KIB};
  private static final double BYTES_PER_GB = 1e9;

  /** A transfer: what goes out, how long what comes back is, and how much of it is data. */
  private record Transfer(String path, MemorySegment request, int reply, int size) {
    static Transfer read(int size) {
      RegionRead.Request read = new RegionRead.Request(0, HbmRegisters.MEMORY_BAR, size);
      return new Transfer(
          "memory BAR read of %d KiB".formatted(size / KIB),
          Messages.request(1, Command.REGION_READ, false, read),
          Header.SIZE + RegionRead.DATA + size,
          size);
    }

    static Transfer write(int size) {
      RegionWrite.Request write =
          new RegionWrite.Request(
              0, HbmRegisters.MEMORY_BAR, Unpooled.wrappedBuffer(new byte[size]));
      return new Transfer(
          "memory BAR write of %d KiB".formatted(size / KIB),
          Messages.request(1, Command.REGION_WRITE, false, write),
          Header.SIZE + RegionWrite.DATA,
          size);
    }

    Work over(Messenger messenger) {
      return () -> {
        messenger.exchange(request, reply);
        return size;
      };
    }
  }

  @Override
  public String name() {
    return "bulk";
  }

  @Override
  public String about() {
    return "64 KiB and 1 MiB of a memory BAR in a message";
  }

  @Override
  public void run(Bench bench) throws Exception {
    for (Placement placement : Placement.values()) {
      if (placement.possible()) {
        measure(bench, placement);
      }
    }
  }

  private static void measure(Bench bench, Placement placement) throws Exception {
    int room = Header.SIZE + RegionRead.DATA + SIZES[SIZES.length - 1];
    try (ServedEndpoint endpoint =
            placement.server(
                () -> ServedEndpoint.start("bulk", new HbmEndpoint(HbmConfig.DEFAULT)));
        Messenger client = endpoint.connectBare(room)) {
      for (int size : SIZES) {
        measure(bench, placement, Transfer.read(size), client);
        measure(bench, placement, Transfer.write(size), client);
      }
    }
  }

  private static void measure(Bench bench, Placement placement, Transfer transfer, Messenger client)
      throws Exception {
    int length = (int) transfer.request.byteSize();
    try (Floor floor = placement.server(() -> Floor.start(length, transfer.reply))) {
      List<Measured> sides =
          placement.client(() ->
              bench.compare(
                  new Side("bare socket", transfer.over(floor.messenger())),
                  new Side("peerbar", transfer.over(client))));
      bench.add(
          Figure.rate(
              transfer.path + ", " + placement,
              "GB/s",
              BYTES_PER_GB,
              sides.get(0),
              sides.get(1),
              Optional.of(RATE)));
    }
  }
}
