package dev.peerbar.scenario.importer;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.gpu.CommandType;
import dev.peerbar.lab.drm.DrmDevice;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.ConfigLayout.PowerManagement;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.MemoryDecoding;
import dev.peerbar.scenario.fixture.Pending;
import dev.peerbar.scenario.fixture.Refused;
import dev.peerbar.scenario.fixture.gpu.HbmAndGpu;
import dev.peerbar.server.events.TransferEvent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** What the exporter does to its memory while the card has it imported, and shows it. */
final class Revocations {
  private static final Duration LATE = Duration.ofMillis(500);
  private static final Duration VERY_LATE = Duration.ofSeconds(12);
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final String WATCH = "/proc/sys/kernel/hung_task_timeout_secs";
  private static final String WATCHED_SECONDS = "3";

  /** Lines of the watch's report. */
  private static final Pattern HUNG =
      Pattern.compile(
          "blocked for more than|Not tainted|hung_task_timeout_secs|Call Trace:|RIP: 0033:"
              + "|is blocked on|Future hung task reports are suppressed");

  private static final int RESETS = 8;

  private Revocations() {}

  /** Something that takes an exporter's memory away, until what it returns is closed. */
  @FunctionalInterface
  private interface Taking {
    AutoCloseable take(HbmAndGpu pair) throws Exception;
  }

  static List<Scenario<?>> all() {
    List<Scenario<?>> all = new ArrayList<>();
    all.add(
        Case.on(
                HbmAndGpu.KIND,
                "importer.reset-exporter",
                "reset A while its memory is shown, draw anew and have it flushed",
                "the card is given the memory anew, and shows it",
                Revocations::reset)
            .only(HbmAndGpu::reaches));
    all.add(
        Case.on(
                HbmAndGpu.KIND,
                "importer.reset-exporter-under-load",
                "reset A %d times while its memory is flushed again and again".formatted(RESETS),
                "the card reads nothing that is not its any more",
                Revocations::underLoad)
            .only(HbmAndGpu::reaches));
    all.add(
        taking(
            "memory-off",
            "clear A's Memory Space Enable",
            pair -> MemoryDecoding.off(pair.device().vfio())));
    all.add(
        taking(
            "d3hot",
            "have A in D3hot",
            pair -> {
              pair.a().config().powerState(PowerManagement.D3HOT);
              return () -> pair.a().config().powerState(PowerManagement.D0);
            }));
    all.add(
        Case.on(
                HbmAndGpu.KIND,
                "importer.late-detach",
                "reset A, whose memory is shown, with a card that answers the detach %d ms late"
                    .formatted(LATE.toMillis()),
                "the reset waits for the answer, and nothing is read after the detach",
                Revocations::late)
            .only(HbmAndGpu::reaches));
    all.add(
        Case.on(
                HbmAndGpu.KIND,
                "importer.unanswered-detach",
                "the same with a card that answers after %d s".formatted(VERY_LATE.toSeconds()),
                "the kernel's watch of hung tasks tells of the reset, which ends with the answer",
                Revocations::unanswered)
            .only(HbmAndGpu::reaches));
    all.add(
        Case.on(
                HbmAndGpu.KIND,
                "importer.revoked",
                "import what was exported while memory decoding is off, and again when it is on",
                "ENODEV, then it is imported",
                Revocations::revoked)
            .only(HbmAndGpu::isUsual));
    return all;
  }

  private static Scenario<?> taking(String name, String does, Taking taking) {
    return Case.on(
            HbmAndGpu.KIND,
            "importer." + name,
            does + " for a while, while its memory is shown, and have it flushed then and after",
            "then ENODEV, and the picture stays; after that the card is given the memory anew",
            pair -> takenAway(pair, taking))
        .only(HbmAndGpu::reaches);
  }

  private static String takenAway(HbmAndGpu pair, Taking taking) throws Exception {
    try (Shown shown = Shown.begin(pair, pair.run().seed())) {
      try (AutoCloseable _ = taking.take(pair)) {
        shown.checkCutOff();
      }
      shown.showAnother();
    }
    return "%d reads".formatted(Shown.reads(pair).size());
  }

  private static String reset(HbmAndGpu pair) throws Exception {
    Duration took;
    try (Shown shown = Shown.begin(pair, pair.run().seed())) {
      took = pair.device().vfio().reset();
      shown.showAnother();
    }
    pair.run().record("reset of what is shown", took);
    return "the reset took %d ms".formatted(took.toMillis());
  }

  private static String underLoad(HbmAndGpu pair) throws Exception {
    // A flush that the driver had begun may come to the card after the detach.
    pair.run().mayComplain(line -> line.endsWith(Shown.NOT_FLUSHED));
    int flushes = 0;
    int refused = 0;
    try (Shown shown = Shown.begin(pair, pair.run().seed())) {
      for (int i = 0; i < RESETS; i++) {
        Pending reset = Pending.start("reset of A", () -> pair.device().vfio().reset());
        do {
          if (shown.flushed()) {
            flushes++;
          } else {
            refused++;
          }
        } while (!reset.isOver());
        reset.await(LIMIT);
      }
      shown.showAnother();
      long faults = Shown.reads(pair).stream().filter(read -> read.fault() != null).count();
      unless(faults == 0, "%d reads met a fault", faults);
    }
    return "%d flushes, %d refused".formatted(flushes, refused);
  }

  private static String late(HbmAndGpu pair) throws Exception {
    long begun;
    long done;
    List<TransferEvent> meanwhile;
    try (Shown shown = Shown.begin(pair, pair.run().seed())) {
      pair.gpu().answerDelays().delay(CommandType.RESOURCE_DETACH_BACKING, LATE);
      begun = System.nanoTime();
      pair.device().vfio().reset();
      done = System.nanoTime();
      pair.gpu().answerDelays().clear();
      meanwhile =
          pair.run().lastTransfers("gpu-b").stream()
              .filter(t -> t.began() > begun && t.ended() < done)
              .toList();
      shown.showAnother();
    }
    // The card reads the detach first; what it does when the time has passed is to answer it.
    long sent = meanwhile.getFirst().began();
    long answered =
        meanwhile.stream()
            .mapToLong(TransferEvent::began)
            .filter(at -> at - sent >= LATE.toNanos())
            .findFirst()
            .orElseThrow(() -> new UnexpectedException("the reset was over before the answer"));
    unless(
        meanwhile.stream().noneMatch(t -> "messages".equals(t.path())),
        "A's memory is read during its reset");
    pair.run().record("until the detach is answered", Duration.ofNanos(answered - begun));
    pair.run().record("until the reset is done", Duration.ofNanos(done - begun));
    return "detach sent after %d ms, answered after %d, reset done after %d"
        .formatted(millis(sent - begun), millis(answered - begun), millis(done - begun));
  }

  private static long millis(long nanos) {
    return Duration.ofNanos(nanos).toMillis();
  }

  private static String unanswered(HbmAndGpu pair) throws Exception {
    GuestSystem system = pair.guest().system();
    pair.run().mayComplain(HUNG.asPredicate());
    String before = system.readText(WATCH);
    var mark = pair.guest().markKernelLog("the detach is not answered");
    String where;
    try (Shown shown = Shown.begin(pair, pair.run().seed())) {
      system.writeText(WATCH, WATCHED_SECONDS);
      try {
        pair.gpu().answerDelays().delay(CommandType.RESOURCE_DETACH_BACKING, VERY_LATE);
        Pending reset = Pending.start("reset of A", () -> pair.device().vfio().reset());
        where =
            reset
                .awaitWithin(pair.guest(), "vfio_pci_dma_buf_move", LIMIT)
                .orElse("where nobody sees");
        reset.await(LIMIT);
        pair.gpu().answerDelays().clear();
      } finally {
        system.writeText(WATCH, before.strip());
      }
      shown.showAnother();
    }
    long told =
        mark.since().stream().filter(line -> line.contains("blocked for more than")).count();
    unless(told > 0, "the watch has told of nothing");
    return "it waited in %s, and the watch told of it".formatted(where);
  }

  private static String revoked(HbmAndGpu pair) throws Exception {
    try (DrmDevice card = pair.openCard()) {
      DmaBuf exported;
      try (MemoryDecoding _ = MemoryDecoding.off(pair.device().vfio())) {
        exported = pair.exportToCard(Shown.LENGTH);
        Refused.with(Errno.ENODEV, "the import", () -> card.importDmaBuf(exported.fd()));
      }
      try (exported) {
        card.closeHandle(card.importDmaBuf(exported.fd()));
      }
    }
    return "ENODEV";
  }
}
