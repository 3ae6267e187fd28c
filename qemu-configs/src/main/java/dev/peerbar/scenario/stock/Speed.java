package dev.peerbar.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.Fio;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * fio's numbers for the endpoint and for QEMU's own nvme: the same kind of image in the same
 * directory, the same guest, by turns. A tour shows it: it has no verdict, but that nothing fails,
 * and is not of the suite.
 */
public final class Speed implements Scenario<StockNvme> {
  /** What is read and written of a disk, all of it allocated. */
  private static final long REGION = 256L << 20;

  private static final int FILL_STEP = 1 << 20;

  /** What fio does. */
  private enum Workload {
    RANDOM_READ_1("4 KiB random read, depth 1", "randread", "4k", 1),
    RANDOM_WRITE_1("4 KiB random write, depth 1", "randwrite", "4k", 1),
    RANDOM_READ_32("4 KiB random read, depth 32", "randread", "4k", 32),
    RANDOM_WRITE_32("4 KiB random write, depth 32", "randwrite", "4k", 32),
    READ("128 KiB read, depth 8", "read", "128k", 8),
    WRITE("128 KiB write, depth 8", "write", "128k", 8);

    private final String title;
    private final String operation;
    private final String block;
    private final int depth;

    Workload(String title, String operation, String block, int depth) {
      this.title = title;
      this.operation = operation;
      this.block = block;
      this.depth = depth;
    }

    private boolean isSequential() {
      return this == READ || this == WRITE;
    }

    private String unit() {
      return isSequential() ? "MiB/s" : "IOPS";
    }
  }

  private final String name;
  private final int rounds;
  private final int seconds;

  private Speed(String name, int rounds, int seconds) {
    this.name = name;
    this.rounds = rounds;
    this.seconds = seconds;
  }

  /** A short look. */
  public static Speed glance() {
    return new Speed("stock.speed", 1, 1);
  }

  /** Numbers to keep. */
  public static Speed measurement() {
    return new Speed("stock.speed-measured", 5, 3);
  }

  @Override
  public Description description() {
    return Description.of(
        name,
        "speed beside QEMU's nvme: fio, %d x %d s each by turns, medians"
            .formatted(rounds, seconds),
        "every run without an error");
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return StockNvme.isForEverything(setting);
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    fill(nvme.underTest());
    fill(nvme.inQemu());
    Map<Workload, List<Double>> endpoint = new EnumMap<>(Workload.class);
    Map<Workload, List<Double>> qemu = new EnumMap<>(Workload.class);
    for (Workload w : Workload.values()) {
      endpoint.put(w, new ArrayList<>());
      qemu.put(w, new ArrayList<>());
    }
    for (int round = 0; round < rounds; round++) {
      for (Workload w : Workload.values()) {
        // Neither is always the first.
        if (round % 2 == 0) {
          endpoint.get(w).add(run(nvme, nvme.underTest(), w));
          qemu.get(w).add(run(nvme, nvme.inQemu(), w));
        } else {
          qemu.get(w).add(run(nvme, nvme.inQemu(), w));
          endpoint.get(w).add(run(nvme, nvme.underTest(), w));
        }
      }
    }
    StringBuilder table = new StringBuilder();
    line(table, "", "endpoint", "QEMU", "", "endpoint / QEMU");
    for (Workload w : Workload.values()) {
      double ours = median(endpoint.get(w));
      double theirs = median(qemu.get(w));
      line(
          table,
          w.title,
          "%.0f".formatted(ours),
          "%.0f".formatted(theirs),
          w.unit(),
          "%.2f".formatted(ours / theirs));
    }
    return table.toString();
  }

  private static void line(
      StringBuilder table, String what, String ours, String theirs, String unit, String ratio) {
    table.append(
        String.format(
            Locale.ROOT, "%n             %-28s %9s %9s %-5s  %s", what, ours, theirs, unit, ratio));
  }

  private double run(StockNvme nvme, NvmeController controller, Workload w) throws Exception {
    Fio.Result result =
        Fio.run(
            nvme.guest(),
            "name=speed",
            "filename=" + nvme.disk(controller).path(),
            "rw=" + w.operation,
            "bs=" + w.block,
            "iodepth=" + w.depth,
            "size=" + REGION,
            "time_based",
            "runtime=" + seconds,
            "ramp_time=500ms",
            "thread",
            "norandommap",
            "gtod_reduce=1");
    unless(result.good(), "%s on %s: %s", w.title, controller.identity().model(), result);
    Fio.Job job = result.jobs().getFirst();
    return w.isSequential()
        ? (job.read().bytesPerSecond() + job.written().bytesPerSecond()) / (1 << 20)
        : job.read().perSecond() + job.written().perSecond();
  }

  /** Gives every block of the region a place in the image, and lets that settle. */
  private static void fill(NvmeController controller) throws IOException {
    byte[] bytes = new byte[FILL_STEP];
    new Random(controller.port().slot()).nextBytes(bytes);
    try (FileChannel image = FileChannel.open(controller.image(), StandardOpenOption.WRITE)) {
      for (long at = 0; at < REGION; at += FILL_STEP) {
        ByteBuffer step = ByteBuffer.wrap(bytes);
        while (step.hasRemaining()) {
          image.write(step, at + step.position());
        }
      }
      image.force(true);
    }
  }

  private static double median(List<Double> values) {
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).toArray();
    Arrays.sort(sorted);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
}
