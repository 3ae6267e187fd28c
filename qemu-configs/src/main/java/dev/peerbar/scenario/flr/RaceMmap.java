package dev.peerbar.scenario.flr;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.guest.Race;
import dev.peerbar.lab.guest.Syscall;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.uapi.VfioIoctls;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.HbmPair;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Random;

/**
 * A BAR is mapped, and loaded from at once, while the function is reset. The kernel promises pages
 * at mmap and gives them at the first access, for which a reset makes it wait; it takes those that
 * it gave before away during a reset, and gives them again: no access may see anything but memory.
 */
public final class RaceMmap implements Scenario<HbmPair> {
  /** Each takes a reset, and the 100 ms that a kernel waits for a function after that. */
  private static final int ROUNDS = 40;

  /** So that mmap comes before, amid and after the first steps of a reset. */
  private static final Duration APART = Duration.ofNanos(200_000);

  private static final int PAGE = 4096;

  @Override
  public Description description() {
    return Description.of(
        "flr.race-mmap",
        "reset A while its memory BAR is being mapped, %d times".formatted(ROUNDS),
        "both end well, RESET_COUNT goes up by one, old and new mapping are A's memory");
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.KIND;
  }

  /** Where the function is does not matter to it. */
  @Override
  public boolean belongsIn(Setting setting) {
    return setting.topology().equals(Topology.NAMES.getFirst());
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    Random random = pair.run().random();
    Pattern.fill(pair.memoryOfA(), pair.run().seed());
    int overlapped = 0;
    try (GuestMemory old = pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR)) {
      for (int round = 0; round < ROUNDS; round++) {
        long offset = random.nextLong(HbmPair.BAR_SIZE / PAGE) * PAGE;
        check(pair, old, offset);
        int resets = pair.a().read(HbmRegisters.RESET_COUNT);
        Race.Outcome race = race(pair, random, offset);
        overlapped += race.overlapped() ? 1 : 0;
        int after = pair.a().read(HbmRegisters.RESET_COUNT);
        unless(after == resets + 1, "RESET_COUNT went from %d to %d:%n%s", resets, after, race);
        check(pair, old, offset);
      }
    }
    pair.run().record("races that overlapped", overlapped);
    return "%d of %d times one was under way when the other began".formatted(overlapped, ROUNDS);
  }

  private static Race.Outcome race(HbmPair pair, Random random, long offset) throws Exception {
    var vfio = pair.deviceA().vfio();
    Race.Outcome race =
        Race.of(pair.guest())
            .racer(VfioIoctls.VFIO_DEVICE_RESET, () -> vfio.reset())
            .racer(Syscall.MMAP, () -> mapAndCheck(pair, offset))
            .staggered(random, APART)
            .run();
    for (Race.Finish finish : race.finishes()) {
      unless(finish.failure().isEmpty(), "%s", race);
    }
    unless(race.met(), "they did not meet:%n%s", race);
    return race;
  }

  private static void mapAndCheck(HbmPair pair, long offset) throws Exception {
    try (GuestMemory bar = pair.deviceA().vfio().mmapBar(HbmRegisters.MEMORY_BAR)) {
      check(pair, bar, offset);
    }
  }

  /** The guest loads what the host has there, and stores what the host sees. */
  private static void check(HbmPair pair, GuestMemory bar, long offset) throws Exception {
    long expected = Pattern.word(pair.run().seed(), offset / Long.BYTES);
    long loaded = bar.loadLong(offset);
    unless(loaded == expected, "0x%x at 0x%x instead of 0x%x", loaded, offset, expected);
    bar.storeLong(offset + Long.BYTES, ~expected);
    long stored = pair.memoryOfA().get(ValueLayout.JAVA_LONG, offset + Long.BYTES);
    unless(stored == ~expected, "the host sees 0x%x of a store at 0x%x", stored, offset);
    pair.memoryOfA().set(ValueLayout.JAVA_LONG, offset + Long.BYTES, 0);
  }
}
