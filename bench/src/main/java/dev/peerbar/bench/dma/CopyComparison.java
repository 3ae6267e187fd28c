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
import dev.peerbar.bench.rig.ClientRam;
import dev.peerbar.bench.rig.HbmRing;
import dev.peerbar.bench.rig.Placement;
import dev.peerbar.bench.rig.ServedEndpoint;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.devices.hbm.Opcode;
import dev.peerbar.linux.LinuxException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Copies of one part of a client's memory to another, by an HBM endpoint: a doorbell for many
 * descriptors, and the wait for the last one's interrupt. The floor copies the same bytes between
 * the client's own mappings of them.
 *
 * <p>All on one processor, so that nothing the endpoint does beside the copying is left out.
 */
public final class CopyComparison implements Comparison {
  /** On either side: more than the caches next to a processor hold. */
  private static final int MEMORY_BYTES = 16 << 20;

  /** How often a run copies all of it. What the doorbell costs is another benchmark's matter. */
  private static final int PASSES = 4;

  private static final long RUN_BYTES = (long) PASSES * MEMORY_BYTES;

  private static final int KIB = 1 << 10;
  private static final double GIGA = 1e9;

  /** The largest ring: a run of the smallest copies takes half of it. */
  private static final int ENTRIES = 1 << HbmRegisters.LARGEST_RING_LOG2;

  private static final int COPY = Opcode.COPY.code();
  private static final long SEED = 1;

  /** How the memory is mapped. */
  private enum Layout {
    ONE_MAPPING("one mapping", 1L << 32),
    PAGES("a mapping a page", 2L << 32),
    SHUFFLED_PAGES("a mapping a page, shuffled", 3L << 32);

    /** Where the destination begins after the source. */
    private static final long DESTINATION = 1L << 31;

    private final String label;
    private final long source;

    Layout(String label, long source) {
      this.label = label;
      this.source = source;
    }

    private void map(BareDriver driver, ClientRam from, ClientRam to) throws LinuxException {
      switch (this) {
        case ONE_MAPPING -> {
          driver.map(source, MEMORY_BYTES, from, 0);
          driver.map(source + DESTINATION, MEMORY_BYTES, to, 0);
        }
        case PAGES -> mapPages(driver, from, to, pages());
        case SHUFFLED_PAGES -> mapPages(driver, from, to, shuffledPages());
      }
    }

    private static List<Integer> pages() {
      return new ArrayList<>(
          IntStream.range(0, (int) (MEMORY_BYTES / ClientRam.PAGE)).boxed().toList());
    }

    private static List<Integer> shuffledPages() {
      List<Integer> order = pages();
      Collections.shuffle(order, new Random(SEED));
      return order;
    }

    private void mapPages(BareDriver driver, ClientRam from, ClientRam to, List<Integer> order)
        throws LinuxException {
      for (int i = 0; i < order.size(); i++) {
        long offset = order.get(i) * ClientRam.PAGE;
        driver.map(source + i * ClientRam.PAGE, ClientRam.PAGE, from, offset);
        driver.map(source + DESTINATION + i * ClientRam.PAGE, ClientRam.PAGE, to, offset);
      }
    }

    private Descriptor copy(long offset, int size, int flags) {
      return new Descriptor(
          COPY, flags, source + offset, source + DESTINATION + offset, size, 0, 0, 0, 0);
    }
  }

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
    try (ServedEndpoint endpoint =
            Placement.ONE_CPU.server(
                () -> ServedEndpoint.start("copy", new HbmEndpoint(HbmConfig.DEFAULT)));
        BareDriver driver = endpoint.connectDriver();
        HbmRing ring = new HbmRing(driver, ENTRIES, true);
        ClientRam from = new ClientRam(MEMORY_BYTES);
        ClientRam to = new ClientRam(MEMORY_BYTES)) {
      from.bytes().fill((byte) 1);
      to.bytes().fill((byte) 2);
      for (Layout layout : Layout.values()) {
        layout.map(driver, from, to);
      }
      measure(bench, ring, from.bytes(), to.bytes());
    }
  }

  private static void measure(Bench bench, HbmRing ring, MemorySegment from, MemorySegment to)
      throws Exception {
    int[] order = Layout.shuffledPages().stream().mapToInt(Integer::intValue).toArray();
    Map<Layout, List<Curve.Point>> points = new EnumMap<>(Layout.class);
    for (int size = 4 * KIB; size <= 1024 * KIB; size *= 4) {
      int bytes = size;
      List<Side> sides = new ArrayList<>();
      sides.add(new Side("memory copy", () -> copyPlainly(from, to, bytes)));
      sides.add(new Side("memory copy, page by page", () -> copyPages(from, to, order)));
      for (Layout layout : Layout.values()) {
        sides.add(new Side(layout.label, new Run(ring, layout, bytes)));
      }
      List<Measured> measured =
          Placement.ONE_CPU.client(() -> bench.compare(sides.toArray(Side[]::new)));
      for (Layout layout : Layout.values()) {
        double ratio = report(bench, layout, bytes, measured);
        points
            .computeIfAbsent(layout, _ -> new ArrayList<>())
            .add(new Curve.Point((double) bytes / KIB, ratio));
      }
    }
    List<Curve.Line> lines = new ArrayList<>();
    points.forEach((layout, line) -> lines.add(new Curve.Line(layout.label, line)));
    bench.add(new Curve("bus-master copy", "KiB", "of a memory copy's rate", true, lines));
  }

  /** Returns the rate in that of one plain copy. */
  private static double report(Bench bench, Layout layout, int bytes, List<Measured> measured) {
    Measured copy = measured.get(0);
    Measured pages = measured.get(1);
    Measured subject = measured.get(2 + layout.ordinal());
    String path = "copy of %d KiB, %s".formatted(bytes / KIB, layout.label);
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

  private static long copyPlainly(MemorySegment from, MemorySegment to, int size) {
    for (int pass = 0; pass < PASSES; pass++) {
      for (long at = 0; at < MEMORY_BYTES; at += size) {
        MemorySegment.copy(from, at, to, at, size);
      }
    }
    return RUN_BYTES;
  }

  private static long copyPages(MemorySegment from, MemorySegment to, int[] order) {
    for (int pass = 0; pass < PASSES; pass++) {
      for (int page : order) {
        long at = page * ClientRam.PAGE;
        MemorySegment.copy(from, at, to, at, ClientRam.PAGE);
      }
    }
    return RUN_BYTES;
  }

  /** Copies all of it, in pieces of one size. */
  private record Run(HbmRing ring, Layout layout, int size) implements Workload {
    @Override
    public void prepare() {
      for (int i = 0; i < count(); i++) {
        long offset = (long) i * size % MEMORY_BYTES;
        int flags = i == count() - 1 ? Descriptor.INTERRUPT : 0;
        ring.put(i, layout.copy(offset, size, flags));
      }
    }

    private int count() {
      return (int) (RUN_BYTES / size);
    }

    @Override
    public long run() throws Exception {
      ring.ring(count());
      ring.awaitInterrupt();
      return RUN_BYTES;
    }
  }
}
