package dev.peerbar.scenario.fault;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Misbehaving;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.fault.Fault;
import dev.peerbar.server.fault.FaultText;
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
      DmaRange range = pair.ioas().map(memory);
      try (Misbehaving _ = late(pair.serverB(), "DMA_UNMAP")) {
        long start = System.nanoTime();
        pair.ioas().unmap(range);
        took = Duration.ofNanos(System.nanoTime() - start);
      }
    }
    return checked(took, sound);
  }

  private static String read(HbmPair pair) throws Exception {
    SoundPair sound = new SoundPair(pair);
    sound.checkA();
    Duration took;
    try (Misbehaving _ = late(pair.serverA(), "REGION_READ")) {
      long start = System.nanoTime();
      int id = pair.a().read(HbmRegisters.ID);
      took = Duration.ofNanos(System.nanoTime() - start);
      unless(id == HbmRegisters.ID_VALUE, "ID is 0x%x", id);
    }
    return checked(took, sound);
  }

  /**
   * @param command of vfio-user, one of whose replies is late
   */
  private static Misbehaving late(EndpointServer server, String command) throws Exception {
    Fault fault = FaultText.parse("replies-late=%dms,%s".formatted(LATE.toMillis(), command));
    return Misbehaving.by(server, (Fault.RepliesLate) fault, 1);
  }

  private static String checked(Duration took, SoundPair sound) throws Exception {
    unless(took.compareTo(LATE) >= 0, "the guest waited %s", took);
    sound.checkA();
    sound.checkB();
    return "the guest waited %.1f s".formatted(took.toMillis() / 1e3);
  }
}
