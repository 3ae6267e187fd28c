package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Fixture;
import dev.peerbar.bench.fixture.Serving;
import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Curve;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Copies of one part of a client's memory to another, by an HBM endpoint. */
public final class CopyComparison implements Comparison {
  private static final int KIB = 1 << 10;
  private static final double GIGA = 1e9;

  /** So many bytes are a million of the shortest copies. */
  private static final double MILLION_SHORTEST = PolledCopyBenchmark.SIZE * 1e6;

  @Override
  public String name() {
    return "copy";
  }

  @Override
  public String about() {
    return "bus-master copies within a client's mapped memory";
  }

  @Override
  public void run(Bench bench) throws Exception {
    Map<Layout, List<Curve.Point>> points = new EnumMap<>(Layout.class);
    try (MappedCopies copies = MappedCopies.open(List.of(CopyEngine.HBM), Layout.values())) {
      for (int size = 4 * KIB; size <= 1024 * KIB; size *= 4) {
        List<Measured> measured = measure(bench, copies, size);
        for (Layout layout : Layout.values()) {
          points
              .computeIfAbsent(layout, _ -> new ArrayList<>())
              .add(new Curve.Point((double) size / KIB, report(bench, layout, size, measured)));
        }
      }
    }
    List<Curve.Line> lines = new ArrayList<>();
    points.forEach((layout, line) -> lines.add(new Curve.Line(layout.toString(), line)));
    bench.add(new Curve("bus-master copy", "KiB", "of a memory copy's rate", true, lines));
    if (PolledRing.PLACEMENT.possible()) {
      measurePolled(bench);
    }
  }

  /** The shortest copies, which cost what a descriptor costs. */
  private static void measurePolled(Bench bench) throws Exception {
    try (Fixture fixture = PolledCopyBenchmark.start()) {
      List<Measured> sides =
          PolledRing.PLACEMENT.client(() ->
              bench.compare(
                  new Side("memory copy", fixture.floor()),
                  new Side(Serving.POLLING.toString(), fixture.peerbar())));
      Measured plain = sides.get(0);
      Measured polled = sides.get(1);
      String path =
          "descriptors of %d bytes, %s".formatted(PolledCopyBenchmark.SIZE, Serving.POLLING);
      bench.add(
          Figure.alone(
              path, "rate", "M/s", polled.rate() / MILLION_SHORTEST, Optional.of(Aim.atLeast(2))));
      bench.add(
          Figure.rate(
              path + ", beside a copy", "M/s", MILLION_SHORTEST, plain, polled, Optional.empty()));
    }
  }

  private static List<Measured> measure(Bench bench, MappedCopies copies, int size)
      throws Exception {
    Pieces pieces = Pieces.ofRun(size);
    List<Side> sides = new ArrayList<>();
    sides.add(new Side("memory copy", copies.plainCopies(pieces)));
    sides.add(new Side("memory copy, page by page", copies.pageCopies()));
    for (Layout layout : Layout.values()) {
      sides.add(new Side(layout.toString(), copies.copies(CopyEngine.HBM, layout, pieces)));
    }
    return MappedCopies.PLACEMENT.client(() -> bench.compare(sides.toArray(Side[]::new)));
  }

  /** Returns the rate in that of one plain copy. */
  private static double report(Bench bench, Layout layout, int bytes, List<Measured> measured) {
    Measured copy = measured.get(0);
    Measured pages = measured.get(1);
    Measured subject = measured.get(2 + layout.ordinal());
    String path = "copy of %d KiB, %s".formatted(bytes / KIB, layout);
    boolean shuffled = layout == Layout.SHUFFLED_PAGES;
    if (shuffled) {
      // Pages that lie apart cost any copy more: the floor goes from page to page as well.
      bench.add(Figure.rate(path + ", beside pages", "GB/s", GIGA, pages, subject, aim(bytes)));
    }
    Figure figure =
        Figure.rate(path, "GB/s", GIGA, copy, subject, shuffled ? Optional.empty() : aim(bytes));
    bench.add(figure);
    return figure.ratio().orElseThrow().median();
  }

  private static Optional<Aim> aim(int bytes) {
    return switch (bytes / KIB) {
      case 64 -> Optional.of(Aim.atLeast(0.7));
      case 1024 -> Optional.of(Aim.atLeast(0.9));
      default -> Optional.empty();
    };
  }
}
