package dev.peerbar.scenario.dmabuf;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.GuestCall;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestFaultException;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.guest.Race;
import dev.peerbar.lab.guest.Syscall;
import dev.peerbar.lab.uapi.VfioIoctls;
import dev.peerbar.lab.vfio.DmaBufControl;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.HbmPair;
import java.io.IOException;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * DMABUFs are mapped and touched at the moment at which they are revoked. Either may come first, so
 * what is promised is little: nothing but A's memory or SIGBUS, and the end that the last one made.
 */
final class MapRaces {
  private static final int RESETS = 12;
  private static final int REVOCATIONS = 12;

  /** So that one comes before, amid and after the first steps of the other. */
  private static final Duration APART = Duration.ofNanos(200_000);

  private MapRaces() {}

  /** What came of an access. */
  private enum Seen {
    LOADED("loads"),
    FAULTED("SIGBUS"),
    NOT_MAPPED("ENODEV");

    private final String words;

    Seen(String words) {
      this.words = words;
    }
  }

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmPair.KIND,
                "dmabuf.map.race-reset",
                "map and touch a DMABUF while A is reset, %d times".formatted(RESETS),
                "A's memory, SIGBUS or ENODEV, as chance has it; afterwards all mappings work",
                MapRaces::resets)
            .needing(MapFeature.MAPPING),
        Case.on(
                HbmPair.KIND,
                "dmabuf.map.race-revoke",
                "touch a DMABUF while it is revoked for ever, %d times".formatted(REVOCATIONS),
                "A's memory or SIGBUS, as chance has it; SIGBUS ever after",
                MapRaces::revocations)
            .needing(MapFeature.MAPPING, MapFeature.REVOKING));
  }

  private static String resets(HbmPair pair) throws Exception {
    Random random = pair.run().random();
    Map<Seen, Integer> counts = new EnumMap<>(Seen.class);
    int resets = pair.a().read(HbmRegisters.RESET_COUNT);
    try (Mapped mapped = Mapped.of(pair)) {
      Pattern.fill(mapped.host(), pair.run().seed());
      for (int round = 0; round < RESETS; round++) {
        long at = random.nextLong(Mapped.LENGTH / Mapped.PAGE) * Mapped.PAGE;
        Race race =
            Race.of(pair.guest())
                .racer(VfioIoctls.VFIO_DEVICE_RESET, () -> pair.deviceA().vfio().reset());
        if (round % 2 == 0) {
          race.racer(Syscall.MMAP, () -> mapAndLoad(mapped, at));
        } else {
          race.racer("load", GuestCall.load(), () -> load(mapped, mapped.memory(), at));
        }
        Race.Outcome outcome = race.staggered(random, APART).run();
        count(outcome, counts);
        var seen = mapped.memory().verifyPattern(0, Mapped.LENGTH, pair.run().seed());
        unless(seen.isEmpty(), "after reset %d: %s", round, seen);
      }
      int after = pair.a().read(HbmRegisters.RESET_COUNT);
      unless(after == resets + RESETS, "RESET_COUNT went from %d to %d", resets, after);
    }
    return words(pair, counts);
  }

  private static String revocations(HbmPair pair) throws Exception {
    Random random = pair.run().random();
    DmaBufControl control = DmaBufControl.of(pair.deviceA().vfio());
    Map<Seen, Integer> counts = new EnumMap<>(Seen.class);
    for (int round = 0; round < REVOCATIONS; round++) {
      try (Mapped mapped = Mapped.of(pair)) {
        Pattern.fill(mapped.host(), pair.run().seed());
        long at = random.nextLong(Mapped.LENGTH / Mapped.PAGE) * Mapped.PAGE;
        Race.Outcome outcome =
            Race.of(pair.guest())
                .racer(VfioIoctls.VFIO_DEVICE_FEATURE, () -> control.revoke(mapped.dmaBuf().fd()))
                .racer("load", GuestCall.load(), () -> load(mapped, mapped.memory(), at))
                .staggered(random, APART)
                .run();
        count(outcome, counts);
        mapped.expectSigbus("after round " + round);
      }
    }
    return words(pair, counts);
  }

  private static Seen mapAndLoad(Mapped mapped, long at) throws Exception {
    try (GuestMemory memory = mapped.dmaBuf().map()) {
      return load(mapped, memory, at);
    } catch (GuestErrnoException e) {
      if (e.is(Errno.ENODEV)) {
        return Seen.NOT_MAPPED;
      }
      throw e;
    }
  }

  private static Seen load(Mapped mapped, GuestMemory memory, long at)
      throws IOException, UnexpectedException {
    try {
      long loaded = memory.loadLong(at);
      long expected = mapped.word(at);
      unless(loaded == expected, "0x%x at 0x%x instead of 0x%x", loaded, at, expected);
      return Seen.LOADED;
    } catch (GuestFaultException e) {
      unless(e.signal() == GuestFaultException.Signal.SIGBUS, "%s", e.getMessage());
      return Seen.FAULTED;
    }
  }

  private static void count(Race.Outcome outcome, Map<Seen, Integer> counts)
      throws IOException, UnexpectedException {
    for (Race.Finish finish : outcome.finishes()) {
      unless(finish.failure().isEmpty(), "%s", outcome);
    }
    unless(outcome.met(), "they did not meet:%n%s", outcome);
    counts.merge(outcome.finish(1).value(Seen.class), 1, Integer::sum);
  }

  private static String words(HbmPair pair, Map<Seen, Integer> counts) {
    counts.forEach((seen, count) -> pair.run().record("touched: " + seen.words, count));
    return String.join(
        ", ", counts.entrySet().stream().map(e -> e.getValue() + " " + e.getKey().words).toList());
  }
}
