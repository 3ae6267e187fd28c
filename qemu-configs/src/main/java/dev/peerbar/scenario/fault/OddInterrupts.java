package dev.peerbar.scenario.fault;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.Misbehaving;
import dev.peerbar.server.fault.Fault;
import java.time.Duration;
import java.util.List;

/** Interrupts that come late, not at all, or twice; and, for comparison, as they should. */
final class OddInterrupts {
  private static final int ENTRIES = 32;
  private static final int CHANNEL = 2;
  private static final int ROUNDS = 8;
  private static final Duration LATE = Duration.ofMillis(300);

  /** So far that QEMU and the guest do not take two for one. */
  private static final Duration APART = Duration.ofMillis(100);

  private OddInterrupts() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
            HbmPair.KIND,
            "fault.no-odd-interrupts",
            "have a channel of B interrupt %d times, one after the other".formatted(ROUNDS),
            "each interrupt comes, once",
            OddInterrupts::asTheyShould),
        Case.on(
            HbmPair.KIND,
            "fault.interrupt-late",
            "have the interrupt of a descriptor come %d ms late".formatted(LATE.toMillis()),
            "its record is there before; the interrupt comes, once, and the next in time",
            OddInterrupts::late),
        Case.on(
            HbmPair.KIND,
            "fault.interrupt-lost",
            "have the interrupt of a descriptor get lost",
            "its record says that it is done; only the next one's interrupt comes",
            OddInterrupts::lost),
        Case.on(
            HbmPair.KIND,
            "fault.interrupt-doubled",
            "have the interrupt of a descriptor come twice, %d ms apart"
                .formatted(APART.toMillis()),
            "the guest gets both, and the next one's once",
            OddInterrupts::doubled));
  }

  private static HbmChannel channel(HbmPair pair) throws Exception {
    return pair.b().channel(CHANNEL, ENTRIES).enable();
  }

  private static void runs(HbmChannel channel) throws Exception {
    int entry = channel.submit(Descriptor.nop().interrupt());
    unless(channel.await(entry, Initiator.LIMIT).done(), "%s", channel.completion(entry));
  }

  private static void comesOnce(HbmChannel channel, Duration before) throws Exception {
    long count = channel.vector().await(Initiator.LIMIT);
    unless(count == 1, "%d interrupts instead of one", count);
    count = channel.vector().await(before);
    unless(count == 0, "%d interrupts more than one", count);
  }

  private static String asTheyShould(HbmPair pair) throws Exception {
    HbmChannel channel = channel(pair);
    for (int round = 0; round < ROUNDS; round++) {
      runs(channel);
      // A second one would have come by the time that the last is looked for.
      comesOnce(channel, round < ROUNDS - 1 ? Duration.ZERO : APART.plus(APART));
    }
    return ROUNDS + " interrupts";
  }

  private static String late(HbmPair pair) throws Exception {
    HbmChannel channel = channel(pair);
    try (Misbehaving _ = Misbehaving.by(pair.serverB(), new Fault.InterruptsLate(LATE), 1)) {
      long start = System.nanoTime();
      runs(channel);
      comesOnce(channel, Duration.ZERO);
      Duration took = Duration.ofNanos(System.nanoTime() - start);
      unless(took.compareTo(LATE) >= 0, "the interrupt came after %s", took);
      runs(channel);
      comesOnce(channel, LATE);
      return "after %d ms".formatted(took.toMillis());
    }
  }

  private static String lost(HbmPair pair) throws Exception {
    HbmChannel channel = channel(pair);
    try (Misbehaving _ = Misbehaving.by(pair.serverB(), new Fault.InterruptsLost(), 1)) {
      runs(channel);
      // Nothing is to be waited for: what came would be before what follows.
      unless(channel.vector().drain() == 0, "the interrupt came");
      runs(channel);
      comesOnce(channel, Duration.ZERO);
      return "1 of 2 interrupts";
    }
  }

  private static String doubled(HbmPair pair) throws Exception {
    HbmChannel channel = channel(pair);
    try (Misbehaving _ = Misbehaving.by(pair.serverB(), new Fault.InterruptsDoubled(APART), 1)) {
      runs(channel);
      long first = channel.vector().await(Initiator.LIMIT);
      // A host that was busy may have handed on both at once.
      long second = first == 2 ? 0 : channel.vector().await(Initiator.LIMIT);
      unless(first + second == 2, "%d interrupts, and %d", first, second);
      runs(channel);
      comesOnce(channel, APART);
      return "%d and %d".formatted(first, second);
    }
  }
}
