package dev.peerbar.bench.dma;

import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Curve;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.bench.rig.BareDriver;
import dev.peerbar.bench.rig.HbmRing;
import dev.peerbar.bench.rig.MemoryResponder;
import dev.peerbar.bench.rig.Placement;
import dev.peerbar.bench.rig.ServedEndpoint;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.Opcode;
import dev.peerbar.server.dma.BusMaster;
import dev.peerbar.server.dma.MessageLimits;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Copies between the memory of an HBM endpoint and a client's that came without a descriptor, by
 * DMA_READ and DMA_WRITE. The floor is the same with one message of 4 KiB at a time.
 */
public final class MessagesComparison implements Comparison {
  private static final Aim THREE_TIMES = Aim.atLeast(3);
  private static final MessageLimits ONE_PAGE = new MessageLimits(4 << 10, 4 << 10, 1);

  /** What one run copies: a descriptor. */
  private static final int RUN_BYTES = 4 << 20;

  private static final long BASE = 1L << 32;
  private static final int ENTRIES = 64;
  private static final int COPY = Opcode.COPY.code();
  private static final int KIB = 1 << 10;
  private static final double GIGA = 1e9;
  private static final List<Integer> SIZES = List.of(4, 16, 32, 64, 128, 256, 1024);
  private static final List<Integer> NUMBERS = List.of(1, 2, 4, 8, 16);

  /** Which way the bytes go. */
  private enum Direction {
    READ("DMA_READ", Descriptor.DESTINATION_IS_LOCAL, BASE, 0),
    WRITE("DMA_WRITE", Descriptor.SOURCE_IS_LOCAL, 0, BASE);

    private final String label;
    private final Descriptor copy;

    Direction(String label, int flag, long source, long destination) {
      this.label = label;
      this.copy =
          new Descriptor(
              COPY, flag | Descriptor.INTERRUPT, source, destination, RUN_BYTES, 0, 0, 0, 0);
    }

    private int bytes(MessageLimits limits) {
      return this == READ ? limits.readBytes() : limits.writeBytes();
    }
  }

  @Override
  public String name() {
    return "messages";
  }

  @Override
  public String about() {
    return "bus-master copies by DMA_READ and DMA_WRITE, by size and number in flight";
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
    MemorySegment memory = Arena.ofAuto().allocate(RUN_BYTES).fill((byte) 1);
    try (ServedEndpoint endpoint =
            placement.server(
                () -> ServedEndpoint.start("messages", new HbmEndpoint(HbmConfig.DEFAULT)));
        BareDriver driver = endpoint.connectDriver();
        HbmRing ring = new HbmRing(driver, ENTRIES, true)) {
      driver.mapWithoutFile(BASE, RUN_BYTES);
      try (MemoryResponder _ =
          placement.client(() -> MemoryResponder.start(driver.messenger(), BASE, memory))) {
        Setup setup = new Setup(bench, placement, endpoint.server().function().bus(), ring);
        for (Direction direction : Direction.values()) {
          setup.compareDefaults(direction);
          if (placement == Placement.TWO_CPUS) {
            // Where the two ends can work at the same time, that is.
            setup.drawCurves(direction);
          }
        }
      }
    }
  }

  /** What is measured with one connection. */
  private record Setup(Bench bench, Placement placement, BusMaster bus, HbmRing ring) {

    void compareDefaults(Direction direction) throws Exception {
      List<Measured> sides =
          placement.client(() ->
              bench.compare(
                  new Side("4 KiB, one at a time", run(direction, ONE_PAGE)),
                  new Side("defaults", run(direction, MessageLimits.DEFAULTS))));
      bench.add(
          Figure.rate(
              "%s, defaults, %s".formatted(direction.label, placement),
              "GB/s",
              GIGA,
              sides.get(0),
              sides.get(1),
              Optional.of(THREE_TIMES)));
    }

    /** By size with as many in flight as by default, and by number with the default size. */
    void drawCurves(Direction direction) throws Exception {
      int window = MessageLimits.DEFAULTS.inFlight();
      int bytes = direction.bytes(MessageLimits.DEFAULTS);
      List<MessageLimits> bySize =
          SIZES.stream().map(size -> new MessageLimits(size * KIB, size * KIB, window)).toList();
      List<MessageLimits> byNumber =
          NUMBERS.stream().map(number -> new MessageLimits(bytes, bytes, number)).toList();
      String path = direction.label + ", " + placement;
      bench.add(
          new Curve(
              path + ", by size",
              "KiB a message",
              "GB/s",
              true,
              List.of(new Curve.Line(window + " in flight", points(direction, SIZES, bySize)))));
      bench.add(
          new Curve(
              path + ", by number",
              "messages in flight",
              "GB/s",
              true,
              List.of(
                  new Curve.Line(
                      bytes / KIB + " KiB a message", points(direction, NUMBERS, byNumber)))));
    }

    private List<Curve.Point> points(
        Direction direction, List<Integer> xs, List<MessageLimits> limits) throws Exception {
      Side[] sides =
          limits.stream()
              .map(each -> new Side(each.toString(), run(direction, each)))
              .toArray(Side[]::new);
      List<Measured> measured = placement.client(() -> bench.compare(sides));
      List<Curve.Point> points = new ArrayList<>();
      for (int i = 0; i < sides.length; i++) {
        points.add(new Curve.Point(xs.get(i), measured.get(i).rate() / GIGA));
      }
      return points;
    }

    private Workload run(Direction direction, MessageLimits limits) {
      return new Run(bus, ring, direction, limits);
    }
  }

  /** Copies once, with some limits. */
  private record Run(BusMaster bus, HbmRing ring, Direction direction, MessageLimits limits)
      implements Workload {
    @Override
    public void prepare() {
      bus.limitMessages(limits);
      ring.put(0, direction.copy);
    }

    @Override
    public long run() throws Exception {
      ring.ring(1);
      ring.awaitInterrupt();
      return RUN_BYTES;
    }
  }
}
