package dev.peerbar.lab.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.Fio;
import dev.peerbar.lab.scenario.Step;
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
 * directory, the same guest, by turns.
 */
final class NvmeSpeed {
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

  private final NvmeSetting setting;

  NvmeSpeed(NvmeSetting setting) {
    this.setting = setting;
  }

  /** A short look. */
  Step glance() {
    return step(1, 1);
  }

  /** Numbers to keep. */
  Step measurement() {
    return step(5, 3);
  }

  private Step step(int rounds, int seconds) {
    return new Step(
        "g",
        "speed beside QEMU's nvme: fio, %d x %d s each by turns, medians"
            .formatted(rounds, seconds),
        "every run without an error",
        () -> measure(rounds, seconds));
  }

  private String measure(int rounds, int seconds) throws Exception {
    fill(setting.underTest());
    fill(setting.inQemu());
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
          endpoint.get(w).add(run(setting.underTest(), w, seconds));
          qemu.get(w).add(run(setting.inQemu(), w, seconds));
        } else {
          qemu.get(w).add(run(setting.inQemu(), w, seconds));
          endpoint.get(w).add(run(setting.underTest(), w, seconds));
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

  private double run(NvmeController controller, Workload w, int seconds) throws Exception {
    Fio.Result result =
        Fio.run(
            setting.guest(),
            "name=speed",
            "filename=" + setting.disk(controller).path(),
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
