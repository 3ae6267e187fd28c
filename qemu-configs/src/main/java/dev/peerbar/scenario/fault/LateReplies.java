package dev.peerbar.scenario.fault;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Misbehaving;
import dev.peerbar.server.fault.Fault;
import java.time.Duration;
import java.util.List;

/** Replies that come late, but before QEMU gives up waiting: after 5 s. */
final class LateReplies {
  private static final Duration LATE = Duration.ofSeconds(4);
  private static final long LENGTH = 64L << 10;

  private LateReplies() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
            HbmPair.KIND,
            "fault.unmap-reply-late",
            "have B answer a DMA_UNMAP %d s late".formatted(LATE.toSeconds()),
            "the guest waits that long and succeeds; QEMU, A and B work on",
            LateReplies::unmap),
        Case.on(
            HbmPair.KIND,
            "fault.read-reply-late",
            "have A answer the read of a register %d s late".formatted(LATE.toSeconds()),
            "the guest waits that long and reads it; QEMU, A and B work on",
            LateReplies::read));
  }

  private static String unmap(HbmPair pair) throws Exception {
    SoundPair sound = new SoundPair(pair);
    sound.checkB();
    Duration took;
    try (GuestMemory memory = pair.guest().allocate(LENGTH)) {
      DmaRange range = pair.space().map(memory);
      try (Misbehaving _ = Misbehaving.by(pair.serverB(), Fault.RepliesLate.ofUnmaps(LATE), 1)) {
        long start = System.nanoTime();
        pair.space().unmap(range);
        took = Duration.ofNanos(System.nanoTime() - start);
      }
    }
    return checked(took, sound);
  }

  private static String read(HbmPair pair) throws Exception {
    SoundPair sound = new SoundPair(pair);
    sound.checkA();
    Duration took;
    try (Misbehaving _ = Misbehaving.by(pair.serverA(), Fault.RepliesLate.ofReads(LATE), 1)) {
      long start = System.nanoTime();
      int id = pair.a().read(HbmRegisters.ID);
      took = Duration.ofNanos(System.nanoTime() - start);
      unless(id == HbmRegisters.ID_VALUE, "ID is 0x%x", id);
    }
    return checked(took, sound);
  }

  private static String checked(Duration took, SoundPair sound) throws Exception {
    unless(took.compareTo(LATE) >= 0, "the guest waited %s", took);
    sound.checkA();
    sound.checkB();
    return "the guest waited %.1f s".formatted(took.toMillis() / 1e3);
  }
}
