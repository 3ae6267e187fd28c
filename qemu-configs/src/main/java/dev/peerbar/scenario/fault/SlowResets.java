package dev.peerbar.scenario.fault;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.Misbehaving;
import dev.peerbar.scenario.fixture.Pending;
import dev.peerbar.server.fault.Fault;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * Function-level resets that are not over when they should be: 100 ms after them a function has to
 * answer (PCIe 6.0 6.6.2). The kernel waits that long without a look, then looks after 1 ms, 2 ms
 * and so on, says so from the second second on, and gives a function up after a minute.
 */
final class SlowResets {
  /** What the kernel waits without a look. */
  private static final Duration SILENCE = Duration.ofMillis(100);

  private static final String WAITING = "after FLR; waiting";
  private static final String GIVING_UP = "giving up";

  private SlowResets() {}

  static List<Scenario<?>> all() {
    return List.of(
        slow(
            "fault.reset-90-ms",
            Duration.ofMillis(90),
            "the reset succeeds after the kernel's 100 ms, and it need not wait longer"),
        slow(
            "fault.reset-900-ms",
            Duration.ofMillis(900),
            "the reset succeeds, later than the function is ready; B works meanwhile"),
        Case.on(
            HbmPair.KIND,
            "fault.reset-without-end",
            "reset A, whose function-level reset does not end until it is made to",
            "the kernel says that it waits, B works meanwhile; then the reset succeeds",
            SlowResets::withoutEnd));
  }

  private static Scenario<?> slow(String name, Duration takes, String expects) {
    return Case.on(
        HbmPair.KIND,
        name,
        "reset A, whose function-level reset takes %d ms".formatted(takes.toMillis()),
        expects,
        pair -> slow(pair, takes));
  }

  private static String slow(HbmPair pair, Duration takes) throws Exception {
    SoundPair sound = new SoundPair(pair);
    sound.checkA();
    int resets = pair.a().read(HbmRegisters.RESET_COUNT);
    long start = System.nanoTime();
    try (Misbehaving _ = Misbehaving.by(pair.serverA(), new Fault.ResetTakes(Optional.of(takes)))) {
      Pending reset = Pending.start("reset of A", () -> pair.deviceA().reset());
      sound.checkB();
      reset.await(Initiator.LIMIT);
    }
    Duration took = Duration.ofNanos(System.nanoTime() - start);
    unless(took.compareTo(takes) >= 0 && took.compareTo(SILENCE) >= 0, "it took %s", took);
    checkReset(pair, sound, resets);
    pair.run().record("reset", took);
    return "%d ms".formatted(took.toMillis());
  }

  private static void checkReset(HbmPair pair, SoundPair sound, int resets) throws Exception {
    int after = pair.a().read(HbmRegisters.RESET_COUNT);
    int scratch = pair.a().read(HbmRegisters.SCRATCH);
    unless(
        after == resets + 1 && scratch == 0,
        "RESET_COUNT went from %d to %d, SCRATCH is 0x%x",
        resets,
        after,
        scratch);
    sound.checkResetA();
  }

  private static String withoutEnd(HbmPair pair) throws Exception {
    SoundPair sound = new SoundPair(pair);
    sound.checkA();
    int resets = pair.a().read(HbmRegisters.RESET_COUNT);
    int waits = count(pair, WAITING);
    long start = System.nanoTime();
    Pending reset;
    try (Misbehaving _ = Misbehaving.by(pair.serverA(), new Fault.ResetTakes(Optional.empty()))) {
      reset = Pending.start("reset of A", () -> pair.deviceA().reset());
      while (count(pair, WAITING) == waits) {
        unless(!reset.isOver(), "the reset ended though A does not answer");
        unless(
            System.nanoTime() - start < Initiator.LIMIT.toNanos(),
            "the kernel does not say that it waits");
        sound.checkB();
      }
      unless(!reset.isOver(), "the reset ended though A does not answer");
    }
    reset.await(Initiator.LIMIT);
    checkReset(pair, sound, resets);
    unless(count(pair, GIVING_UP) == 0, "the kernel gave A up");
    return "the kernel waited %.1f s".formatted((System.nanoTime() - start) / 1e9);
  }

  private static int count(HbmPair pair, String words) throws Exception {
    return (int)
        pair.guest().system().kernelLog().lines().filter(line -> line.contains(words)).count();
  }
}
