package dev.peerbar.bench.dma;

import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import java.util.List;
import java.util.Optional;

/**
 * Copies of one part of a client's memory to another, by an I/OAT endpoint and by an HBM one: what
 * a chain of descriptors costs beside a ring of them.
 */
public final class IoatComparison implements Comparison {
  private static final Layout LAYOUT = Layout.ONE_MAPPING;
  private static final int SHORTEST = 64;
  private static final int KIB = 1 << 10;
  private static final int MIB = 1 << 20;
  private static final double GIGA = 1e9;

  /** So many bytes in copies of the shortest are a million descriptors. */
  private static final double MILLION_SHORTEST = SHORTEST * 1e6;

  @Override
  public String name() {
    return "ioat";
  }

  @Override
  public String about() {
    return "bus-master copies in mapped memory by an I/OAT endpoint, and by HBM";
  }

  @Override
  public void run(Bench bench) throws Exception {
    try (MappedCopies copies =
        MappedCopies.open(List.of(CopyEngine.IOAT, CopyEngine.HBM), LAYOUT)) {
      reportCopies(bench, copies, 4 * KIB, Optional.empty());
      reportCopies(bench, copies, MIB, Optional.of(Aim.atLeast(0.9)));
      reportChains(bench, copies);
    }
  }

  private static List<Measured> measure(Bench bench, MappedCopies copies, int size)
      throws Exception {
    Pieces chain = Pieces.ofChain(size);
    return MappedCopies.PLACEMENT.client(() ->
        bench.compare(
            new Side("memory copy", copies.plainCopies(chain)),
            new Side("I/OAT", copies.copies(CopyEngine.IOAT, LAYOUT, chain)),
            new Side("HBM", copies.copies(CopyEngine.HBM, LAYOUT, chain))));
  }

  /**
   * @param aim of the I/OAT endpoint's; what HBM's is to be, {@link CopyComparison} says
   */
  private static void reportCopies(Bench bench, MappedCopies copies, int size, Optional<Aim> aim)
      throws Exception {
    List<Measured> sides = measure(bench, copies, size);
    Measured plain = sides.get(0);
    String path = "copy of %d KiB, ".formatted(size / KIB);
    bench.add(Figure.rate(path + CopyEngine.IOAT, "GB/s", GIGA, plain, sides.get(1), aim));
    bench.add(
        Figure.rate(path + CopyEngine.HBM, "GB/s", GIGA, plain, sides.get(2), Optional.empty()));
  }

  private static void reportChains(Bench bench, MappedCopies copies) throws Exception {
    List<Measured> sides = measure(bench, copies, SHORTEST);
    Measured plain = sides.get(0);
    Measured ioat = sides.get(1);
    Measured hbm = sides.get(2);
    String path = "descriptors of %d bytes, ".formatted(SHORTEST);
    bench.add(
        Figure.alone(
            path + CopyEngine.IOAT,
            "rate",
            "M/s",
            ioat.rate() / MILLION_SHORTEST,
            Optional.of(Aim.atLeast(1))));
    addChain(bench, path + "I/OAT beside a copy", plain, ioat);
    addChain(bench, path + "HBM beside a copy", plain, hbm);
    addChain(bench, path + "I/OAT beside HBM", hbm, ioat);
  }

  private static void addChain(Bench bench, String path, Measured floor, Measured subject) {
    bench.add(Figure.rate(path, "M/s", MILLION_SHORTEST, floor, subject, Optional.empty()));
  }
}
