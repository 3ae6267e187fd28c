package dev.peerbar.lab.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;

import com.fasterxml.jackson.databind.JsonNode;
import dev.peerbar.lab.boot.GuestLog;
import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.GuestProgram.Outcome;
import dev.peerbar.lab.scenario.Step;
import dev.peerbar.scenario.UnexpectedException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.StreamSupport;

/** The guest's own driver and nvme(1) ask the endpoint what it is and make it do a little. */
final class NvmeBasicSteps {
  private static final int VERSION_1_4 = 0x10400;
  private static final int TYPE_IO = 1;

  /** Doorbell Buffer Config (NVMe 1.4 figure 247, OACS). */
  private static final int OACS_DOORBELL_BUFFER = 1 << 8;

  private static final int ENTRY_SIZES_SQ = 0x66;
  private static final int ENTRY_SIZES_CQ = 0x44;

  /** Deallocated blocks read as zeros (NVMe 1.4 figure 245, DLFEAT). */
  private static final int DLFEAT_MASK = 7;

  private static final int DLFEAT_ZEROS = 1;

  private static final int KELVIN_OF_FREEZING = 273;
  private static final int KELVIN_OF_BOILING = 373;
  private static final int CSTS_READY = 1;

  /** CRE and CMSE (NVMe 1.4 3.1.13). */
  private static final int CMBMSC_ENABLED = 3;

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

  /** More than any controller has. */
  private static final long NO_NAMESPACE = 0xfffffff0L;

  private static final int BLOCK = 512;
  private static final int START = 4096;
  private static final int LENGTH = 4096;

  private final NvmeSetting setting;

  NvmeBasicSteps(NvmeSetting setting) {
    this.setting = setting;
  }

  Step bind() {
    return new Step(
        "a",
        "the guest's nvme driver initialises all controllers",
        "live, with "
            + (hasMessages() ? "MSI-X for each queue" : "the interrupt pin")
            + ", nothing at warning level in the kernel's log since, or of one before",
        this::bound);
  }

  List<Step> commands() {
    return List.of(
        new Step(
            "b1",
            "nvme list, id-ctrl, id-ns, ns-descs, show-regs",
            "what the endpoint is, in every field that was looked at",
            this::identify),
        new Step(
            "b2",
            "nvme smart-log, error-log, fw-log, effects-log, get-feature, set-feature",
            "sensible values, that change with what is done",
            this::logs),
        new Step(
            "b3",
            "nvme write, read, compare, verify, write-zeroes, dsm, flush",
            "the right bytes, and Success",
            this::blocks),
        new Step(
            "b4",
            "commands that are wrong",
            "each the status that the specification has for it",
            this::refusals));
  }

  private boolean hasMessages() {
    return setting.boot() != NvmeBoot.PIN_INTERRUPTS;
  }

  private String bound() throws Exception {
    for (NvmeController controller : setting.controllers()) {
      setting.disk(controller);
    }
    NvmeDisk disk = setting.disk();
    String log = setting.guest().kernelLog();
    List<String> bad = GuestLog.badKernelLines(aboutControllers(log));
    unless(bad.isEmpty(), "%s", String.join("\n", bad));
    String interrupts = setting.guest().system().readText("/proc/interrupts");
    List<String> vectors = interrupts.lines().filter(l -> l.contains(disk.name() + "q")).toList();
    unless(
        vectors.size() == 1 != hasMessages()
            && vectors.stream().allMatch(l -> l.contains("IO-APIC") != hasMessages()),
        "interrupts:%n%s",
        String.join("\n", vectors));
    List<String> lines =
        log.lines()
            .filter(l -> l.contains("nvme " + disk.name()) || l.contains(disk.pci().address()))
            .filter(l -> l.contains("nvme"))
            .map(l -> l.replaceFirst("^<\\d+>\\[ *[0-9.]+] ", ""))
            .toList();
    return "%d interrupts, and the lines%n%s"
        .formatted(vectors.size(), "             ".concat(String.join("\n             ", lines)));
  }

  // What a kernel says before its driver is at work, and of no controller, is its boot's affair.
  private String aboutControllers(String log) throws Exception {
    List<String> addresses = new ArrayList<>();
    for (NvmeController controller : setting.controllers()) {
      addresses.add(setting.disk(controller).pci().address());
    }
    List<String> about = new ArrayList<>();
    boolean atWork = false;
    for (String line : log.lines().toList()) {
      atWork |= line.contains("nvme ");
      if (atWork || addresses.stream().anyMatch(line::contains)) {
        about.add(line);
      }
    }
    return String.join("\n", about);
  }

  private String identify() throws Exception {
    NvmeDisk disk = setting.disk();
    NvmeController.Identity identity = setting.underTest().identity();
    JsonNode listed = listed(disk);
    checkText(listed, "SerialNumber", identity.serialNumber());
    checkText(listed, "ModelNumber", identity.model());
    check(listed, "PhysicalSize", NvmeController.SIZE);
    JsonNode controller = disk.json("id-ctrl");
    checkText(controller, "sn", identity.serialNumber());
    checkText(controller, "mn", identity.model());
    check(controller, "vid", identity.vendorId());
    check(controller, "ver", VERSION_1_4);
    check(controller, "cntrltype", TYPE_IO);
    check(controller, "mdts", 7);
    check(controller, "aerl", 3);
    check(controller, "sqes", ENTRY_SIZES_SQ);
    check(controller, "cqes", ENTRY_SIZES_CQ);
    checkBits(controller, "oacs", OACS_DOORBELL_BUFFER);
    checkBits(controller, "oncs", identity.optionalCommands());
    checkBits(controller, "vwc", 1);
    checkBits(controller, "sgls", 1);
    JsonNode namespace = disk.jsonOfNamespace("id-ns");
    int format = namespace.path("flbas").asInt() & 0xf;
    long block = 1L << namespace.path("lbafs").path(format).path("ds").asInt();
    check(namespace, "nsze", NvmeController.SIZE / block);
    check(namespace, "ncap", NvmeController.SIZE / block);
    int dlfeat = namespace.path("dlfeat").asInt();
    unless((dlfeat & DLFEAT_MASK) == DLFEAT_ZEROS, "dlfeat %d", dlfeat);
    JsonNode descriptors = disk.jsonOfNamespace("ns-descs").path("ns-descs");
    unless(!descriptors.isEmpty(), "no namespace descriptors");
    JsonNode registers = disk.json("show-regs");
    check(registers, "vs", VERSION_1_4);
    checkBits(registers, "csts", CSTS_READY);
    checkBits(registers, "cmbmsc", CMBMSC_ENABLED);
    checkBits(registers, "cmbsz", 1);
    return "%s %s, firmware %s, %d blocks of %d, oacs 0x%x, oncs 0x%x, sgls 0x%x, cap 0x%x"
        .formatted(
            identity.model(),
            identity.serialNumber(),
            controller.path("fr").asText().strip(),
            namespace.path("nsze").asLong(),
            block,
            controller.path("oacs").asInt(),
            controller.path("oncs").asInt(),
            controller.path("sgls").asInt(),
            registers.path("cap").asLong());
  }

  private JsonNode listed(NvmeDisk disk) throws Exception {
    Outcome list = setting.guest().run("nvme", "list", "--output-format=json");
    unless(list.status() == 0, "nvme list: %s", list);
    JsonNode devices = new com.fasterxml.jackson.databind.ObjectMapper().readTree(list.out());
    return StreamSupport.stream(devices.path("Devices").spliterator(), false)
        .filter(d -> d.path("DevicePath").asText().equals(disk.path()))
        .findFirst()
        .orElseThrow(() -> new UnexpectedException("not in the list: " + list.out()));
  }

  private String logs() throws Exception {
    NvmeDisk disk = setting.disk();
    JsonNode before = disk.json("smart-log");
    long writes = before.path("host_write_commands").asLong();
    check(before, "critical_warning", 0);
    check(before, "media_errors", 0);
    int temperature = before.path("temperature").asInt();
    unless(
        temperature > KELVIN_OF_FREEZING && temperature < KELVIN_OF_BOILING,
        "temperature %d",
        temperature);
    Outcome dd =
        setting
            .guest()
            .run("dd", "if=/dev/zero", "of=" + disk.path(), "bs=1M", "count=8", "oflag=direct");
    unless(dd.status() == 0, "dd: %s", dd);
    JsonNode after = disk.json("smart-log");
    long written = after.path("host_write_commands").asLong() - writes;
    long units =
        after.path("data_units_written").asLong() - before.path("data_units_written").asLong();
    // Thousands of 512 bytes, rounded up now or earlier (NVMe 1.4 5.14.1.2).
    unless(written >= 8 && units >= 15 && units <= 18, "%d writes, %d units", written, units);
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
    int features = 0;
    for (int feature : FEATURES) {
      int value = feature(disk, feature);
      if (feature == FEATURE_QUEUES) {
        features = value;
      }
    }
    for (int cache : new int[] {0, 1}) {
      succeed(disk.nvme("set-feature", "--feature-id=6", "--value=" + cache));
      int now = feature(disk, FEATURE_WRITE_CACHE);
      unless(now == cache, "the write cache is %d and was set to %d", now, cache);
    }
    return "%d K; 8 MiB were %d writes and %d data units; %d features, queues 0x%08x"
        .formatted(temperature, written, units, FEATURES.length, features);
  }

  private int feature(NvmeDisk disk, int id) throws Exception {
    // Only one of them belongs to a namespace (NVMe 1.4 figure 275).
    int namespace = id == FEATURE_ERROR_RECOVERY ? 1 : 0;
    JsonNode answer = disk.json("get-feature", "--feature-id=" + id, "--namespace-id=" + namespace);
    JsonNode current = answer.path("feature: 0x%02x".formatted(id)).path(0).path("Current");
    unless(current.isTextual(), "feature %d: %s", id, answer);
    return Integer.parseUnsignedInt(current.asText().replaceFirst("^0x", ""), 16);
  }

  private String blocks() throws Exception {
    NvmeDisk disk = setting.disk();
    run("dd", "if=/dev/urandom", "of=/tmp/written", "bs=" + LENGTH, "count=1");
    succeed(transfer(disk, "write", "/tmp/written"));
    succeed(transfer(disk, "read", "/tmp/read"));
    run("busybox", "cmp", "/tmp/written", "/tmp/read");
    succeed(transfer(disk, "compare", "/tmp/written"));
    succeed(disk.nvmeOfNamespace("verify", range()));
    succeed(disk.nvmeOfNamespace("flush"));
    succeed(disk.nvmeOfNamespace("write-zeroes", range()));
    checkZeros(disk);
    succeed(transfer(disk, "write", "/tmp/written"));
    Outcome dsm =
        disk.nvmeOfNamespace(
            "dsm", "--ad", "--slbs=%d".formatted(START), "--blocks=" + LENGTH / BLOCK);
    succeed(dsm);
    checkZeros(disk);
    return "4 KiB written, read, compared, verified, zeroed, deallocated";
  }

  private static String[] range() {
    return new String[] {"--start-block=" + START, "--block-count=" + (LENGTH / BLOCK - 1)};
  }

  private static Outcome transfer(NvmeDisk disk, String command, String file) throws Exception {
    String[] range = range();
    return disk.nvmeOfNamespace(
        command, range[0], range[1], "--data-size=" + LENGTH, "--data=" + file);
  }

  private void checkZeros(NvmeDisk disk) throws Exception {
    succeed(transfer(disk, "read", "/tmp/read"));
    run("busybox", "cmp", "-n", "" + LENGTH, "/tmp/read", "/dev/zero");
  }

  private String refusals() throws Exception {
    NvmeDisk disk = setting.disk();
    refuse("LBA Out of Range", beyondTheEnd(disk));
    run("dd", "if=/dev/urandom", "of=/tmp/other", "bs=" + LENGTH, "count=1");
    refuse("Compare Failure", transfer(disk, "compare", "/tmp/other"));
    refuse(
        "Invalid Namespace or Format",
        disk.nvme("id-ns", "--namespace-id=" + NO_NAMESPACE, "--force"));
    refuse("Invalid Field in Command", disk.nvme("get-feature", "--feature-id=0x7e"));
    // The specification has a status for this one, which QEMU's does not use.
    refuse(
        "Invalid (Log Page|Field in Command)",
        disk.nvme("get-log", "--log-id=0x77", "--log-len=512"));
    refuse("Invalid Command Opcode", disk.nvme("admin-passthru", "--opcode=0x7f"));
    JsonNode errors = disk.json("error-log").path("errors");
    boolean hasErrorLog = disk.json("id-ctrl").path("elpe").asInt() > 0;
    if (hasErrorLog) {
      unless(errors.path(0).path("error_count").asLong() > 0, "the error log: %s", errors);
    }
    return "6 refused%s"
        .formatted(hasErrorLog ? ", %d in the error log".formatted(errors.size()) : "");
  }

  private static Outcome beyondTheEnd(NvmeDisk disk) throws Exception {
    return disk.nvmeOfNamespace(
        "read",
        "--start-block=" + NvmeController.SIZE / BLOCK,
        "--block-count=0",
        "--data-size=" + BLOCK,
        "--data=/tmp/read");
  }

  private static void refuse(String status, Outcome outcome) throws UnexpectedException {
    unless(
        outcome.status() != 0
            && Pattern.compile(status).matcher(outcome.err() + outcome.out()).find(),
        "not %s: %s",
        status,
        outcome);
  }

  private static void succeed(Outcome outcome) throws UnexpectedException {
    unless(outcome.status() == 0, "%s", outcome);
  }

  private void run(String... words) throws Exception {
    Outcome outcome = setting.guest().run(words);
    unless(outcome.status() == 0, "%s: %s", String.join(" ", words), outcome);
  }

  private static void check(JsonNode in, String field, long expected) throws UnexpectedException {
    JsonNode value = in.path(field);
    unless(value.asLong(-1) == expected, "%s is %s, not %d", field, value, expected);
  }

  private static void checkBits(JsonNode in, String field, int bits) throws UnexpectedException {
    long value = in.path(field).asLong();
    unless((value & bits) == bits, "%s 0x%x lacks 0x%x", field, value, bits & ~value);
  }

  private static void checkText(JsonNode in, String field, String expected)
      throws UnexpectedException {
    String value = in.path(field).asText().strip();
    unless(value.equals(expected), "%s is %s, not %s", field, value, expected);
  }
}
