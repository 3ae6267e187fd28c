package dev.peerbar.bench.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How many threads ran or wanted to (proc_loadavg(5)).
 *
 * @param oneMinute the mean over the last minute
 * @param fiveMinutes over the last five
 * @param fifteenMinutes over the last fifteen
 */
public record LoadAverage(double oneMinute, double fiveMinutes, double fifteenMinutes) {
  private static final Path SOURCE = Path.of("/proc/loadavg");

  /** As it is now. */
  public static LoadAverage now() throws IOException {
    String[] fields = Files.readString(SOURCE).split(" ");
    return new LoadAverage(
        Double.parseDouble(fields[0]),
        Double.parseDouble(fields[1]),
        Double.parseDouble(fields[2]));
  }

  @Override
  public String toString() {
    return oneMinute + ", " + fiveMinutes + ", " + fifteenMinutes;
  }
}
