package dev.peerbar.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;
import static dev.peerbar.scenario.stock.Answers.check;
import static dev.peerbar.scenario.stock.Answers.succeed;

import com.fasterxml.jackson.databind.JsonNode;
import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Log pages and features of the endpoint change with what is done. */
public final class Logs implements Scenario<StockNvme> {
  private static final int KELVIN_OF_FREEZING = 273;
  private static final int KELVIN_OF_BOILING = 373;

  /**
   * Arbitration, power, temperature, error recovery, write cache, queues, coalescing, vectors,
   * atomicity, events, timestamp.
   */
  private static final int[] FEATURES = {1, 2, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xe};

  private static final int FEATURE_ERROR_RECOVERY = 5;
  private static final int FEATURE_WRITE_CACHE = 6;
  private static final int FEATURE_QUEUES = 7;

  private static final List<String> IO_COMMANDS =
      List.of("Flush", "Write", "Read", "Compare", "Write Zeroes", "Dataset Management", "Verify");

  @Override
  public Description description() {
    return Description.of(
        "stock.logs",
        "nvme smart-log, error-log, fw-log, effects-log, get-feature, set-feature",
        "sensible values, that change with what is done");
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
    NvmeDisk disk = nvme.disk();
    String health = health(nvme, disk);
    otherLogs(disk);
    return "%s; %d features, queues 0x%08x".formatted(health, FEATURES.length, features(disk));
  }

  private static String health(StockNvme nvme, NvmeDisk disk)
      throws IOException, UnexpectedException {
    JsonNode before = disk.json("smart-log");
    long writes = before.path("host_write_commands").asLong();
    check(before, "critical_warning", 0);
    check(before, "media_errors", 0);
    int temperature = before.path("temperature").asInt();
    unless(
        temperature > KELVIN_OF_FREEZING && temperature < KELVIN_OF_BOILING,
        "temperature %d",
        temperature);
    nvme.program("dd", "if=/dev/zero", "of=" + disk.path(), "bs=1M", "count=8", "oflag=direct");
    JsonNode after = disk.json("smart-log");
    long written = after.path("host_write_commands").asLong() - writes;
    long units =
        after.path("data_units_written").asLong() - before.path("data_units_written").asLong();
    // Thousands of 512 bytes, rounded up now or earlier (NVMe 1.4 5.14.1.2).
    unless(written >= 8 && units >= 15 && units <= 18, "%d writes, %d units", written, units);
    return "%d K; 8 MiB were %d writes and %d data units".formatted(temperature, written, units);
  }

  private static void otherLogs(NvmeDisk disk) throws IOException, UnexpectedException {
    unless(disk.json("error-log").path("errors").isArray(), "no error log");
    JsonNode firmware = disk.json("fw-log").path(disk.name());
    check(firmware, "Active Firmware Slot (afi)", 1);
    List<String> effects = new ArrayList<>();
    for (JsonNode set : disk.json("effects-log").findValues("io_cmd_set")) {
      set.fieldNames().forEachRemaining(effects::add);
    }
    for (String command : IO_COMMANDS) {
      unless(
          effects.stream().anyMatch(e -> e.endsWith("(" + command + ")")),
          "the effects log lacks %s: %s",
          command,
          effects);
    }
  }

  /** Reads all features, and sets one. Returns the number of queues. */
  private static int features(NvmeDisk disk) throws IOException, UnexpectedException {
    int queues = 0;
    for (int feature : FEATURES) {
      int value = feature(disk, feature);
      if (feature == FEATURE_QUEUES) {
        queues = value;
      }
    }
    for (int cache : new int[] {0, 1}) {
      succeed(disk.nvme("set-feature", "--feature-id=6", "--value=" + cache));
      int now = feature(disk, FEATURE_WRITE_CACHE);
      unless(now == cache, "the write cache is %d and was set to %d", now, cache);
    }
    return queues;
  }

  private static int feature(NvmeDisk disk, int id) throws IOException, UnexpectedException {
    // Only one of them belongs to a namespace (NVMe 1.4 figure 275).
    int namespace = id == FEATURE_ERROR_RECOVERY ? 1 : 0;
    JsonNode answer = disk.json("get-feature", "--feature-id=" + id, "--namespace-id=" + namespace);
    JsonNode current = answer.path("feature: 0x%02x".formatted(id)).path(0).path("Current");
    unless(current.isTextual(), "feature %d: %s", id, answer);
    return Integer.parseUnsignedInt(current.asText().replaceFirst("^0x", ""), 16);
  }
}
