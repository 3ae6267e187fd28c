package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Curve;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import dev.peerbar.server.dma.MessageLimits;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Copies by DMA_READ and DMA_WRITE. The floor is the same with one message of 4 KiB at a time. */
public final class MessagesComparison implements Comparison {
  private static final Aim THREE_TIMES = Aim.atLeast(3);
  private static final int KIB = 1 << 10;
  private static final double GIGA = 1e9;
  private static final List<Integer> SIZES = List.of(4, 16, 32, 64, 128, 256, 1024);
  private static final List<Integer> NUMBERS = List.of(1, 2, 4, 8, 16);

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
    try (MessageCopies copies = MessageCopies.open(placement)) {
      for (Direction direction : Direction.values()) {
        OneWay way = new OneWay(bench, placement, copies, direction);
        way.compareDefaults();
        if (placement == Placement.TWO_CPUS) {
          // Where the two ends can work at the same time, that is.
          way.drawCurves();
        }
      }
    }
  }

  /** What is measured in one direction. */
  private record OneWay(
      Bench bench, Placement placement, MessageCopies copies, Direction direction) {

    void compareDefaults() throws Exception {
      List<Measured> sides =
          placement.client(() ->
              bench.compare(
                  new Side(
                      "4 KiB, one at a time", copies.copies(direction, MessageCopies.ONE_PAGE)),
                  new Side("defaults", copies.copies(direction, MessageLimits.DEFAULTS))));
      bench.add(
          Figure.rate(
              "DMA_%s, defaults, %s".formatted(direction, placement),
              "GB/s",
              GIGA,
              sides.get(0),
              sides.get(1),
              Optional.of(THREE_TIMES)));
    }

    /** By size with as many in flight as by default, and by number with the default size. */
    void drawCurves() throws Exception {
      int window = MessageLimits.DEFAULTS.inFlight();
      int bytes = direction.bytes(MessageLimits.DEFAULTS);
      List<MessageLimits> bySize =
          SIZES.stream().map(size -> new MessageLimits(size * KIB, size * KIB, window)).toList();
      List<MessageLimits> byNumber =
          NUMBERS.stream().map(number -> new MessageLimits(bytes, bytes, number)).toList();
      String path = "DMA_%s, %s".formatted(direction, placement);
      bench.add(
          new Curve(
              path + ", by size",
              "KiB a message",
              "GB/s",
              true,
              List.of(new Curve.Line(window + " in flight", points(SIZES, bySize)))));
      bench.add(
          new Curve(
              path + ", by number",
              "messages in flight",
              "GB/s",
              true,
              List.of(new Curve.Line(bytes / KIB + " KiB a message", points(NUMBERS, byNumber)))));
    }

    private List<Curve.Point> points(List<Integer> xs, List<MessageLimits> limits)
        throws Exception {
      Side[] sides =
          limits.stream()
              .map(each -> new Side(each.toString(), copies.copies(direction, each)))
              .toArray(Side[]::new);
      List<Measured> measured = placement.client(() -> bench.compare(sides));
      List<Curve.Point> points = new ArrayList<>();
      for (int i = 0; i < sides.length; i++) {
        points.add(new Curve.Point(xs.get(i), measured.get(i).rate() / GIGA));
      }
      return points;
    }
  }
}
