package dev.peerbar.bench.socket;

import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Benchmark;
import dev.peerbar.bench.harness.Distribution;
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
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.server.ServerOptions;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Reads and writes of registers, one at a time, each waiting for its reply. */
public final class RegisterBenchmark implements Benchmark {
  private static final Aim WAITING = Aim.atMost(1.05);
  private static final Aim POLLING = Aim.atMost(0.8);

  /** Of the HBM endpoint: a 4-byte register that can be written, and an 8-byte one. */
  private static final long SCRATCH = 0x1c;

  private static final long RING_BASE = 0x1008;

  private static final int BAR = 0;

  /** An access: what goes out and how long what comes back is. */
  private record Access(String path, MemorySegment request, int reply) {
    static Access read(long offset, int width) {
      return new Access(
          width + "-byte register read",
          Messages.request(
              1, Command.REGION_READ, false, new RegionRead.Request(offset, BAR, width)),
          Header.SIZE + RegionRead.DATA + width);
    }

    static Access write(long offset, int width) {
      return new Access(
          width + "-byte register write",
          Messages.request(
              1,
              Command.REGION_WRITE,
              false,
              new RegionWrite.Request(offset, BAR, Unpooled.wrappedBuffer(new byte[width]))),
          Header.SIZE + RegionWrite.DATA);
    }

    Work over(Messenger messenger) {
      return () -> {
        messenger.exchange(request, reply);
        return 1;
      };
    }
  }

  @Override
  public String name() {
    return "register";
  }

  @Override
  public String about() {
    return "4- and 8-byte register reads and writes over the socket";
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
    try (ServedEndpoint waiting = serve(placement, ServerOptions.DEFAULT);
        ServedEndpoint polling =
            serve(placement, ServerOptions.DEFAULT.withBusyPoll(ServerOptions.BUSY_POLL));
        Messenger waitingClient = waiting.connectBare(0);
        Messenger pollingClient = polling.connectBare(0)) {
      for (Access access :
          List.of(
              Access.read(SCRATCH, Integer.BYTES),
              Access.read(RING_BASE, Long.BYTES),
              Access.write(SCRATCH, Integer.BYTES),
              Access.write(RING_BASE, Long.BYTES))) {
        try (Floor floor =
            placement.server(() -> Floor.start((int) access.request.byteSize(), access.reply))) {
          compare(bench, placement, access, floor.messenger(), waitingClient, pollingClient);
        }
      }
    }
  }

  private static ServedEndpoint serve(Placement placement, ServerOptions options) throws Exception {
    return placement.server(
        () -> ServedEndpoint.start("register", new HbmEndpoint(HbmConfig.DEFAULT), options));
  }

  private static void compare(
      Bench bench,
      Placement placement,
      Access access,
      Messenger floor,
      Messenger waiting,
      Messenger polling)
      throws Exception {
    List<Side> sides =
        new ArrayList<>(
            List.of(
                new Side("bare socket", access.over(floor)),
                new Side("waiting", access.over(waiting))));
    if (placement == Placement.TWO_CPUS) {
      // Who looks for a message keeps its sender from running if there is but one processor.
      sides.add(new Side("busy-poll", access.over(polling)));
    }
    List<Measured> all = placement.client(() -> bench.compare(sides.toArray(Side[]::new)));
    for (Measured subject : all.subList(1, all.size())) {
      String path = "%s, %s, %s".formatted(access.path, placement, subject.name());
      Aim aim = subject.name().equals("waiting") ? WAITING : POLLING;
      bench.add(Figure.percentile(path, all.getFirst(), subject, 50, Optional.of(aim)));
      bench.add(Figure.percentile(path, all.getFirst(), subject, 99, Optional.empty()));
    }
    bench.add(Distribution.of(access.path + ", " + placement, all));
  }
}
