package dev.peerbar.scenario.flr;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Route;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.Checksum;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Initiator;
import java.time.Duration;
import java.util.List;

/** A reset of an exporter revokes what it exported. */
public final class ResetExporter implements Scenario<HbmPair> {
  private static final long LENGTH = 8L << 20;
  private static final int CHANNEL = 1;
  private static final int ENTRIES = 32;

  @Override
  public Description description() {
    return Description.of(
            "flr.exporter",
            "reset A (FLR)",
            "the import is dead: B's copies fault at its address; A's registers are reset, its"
                + " memory is not touched")
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  @Override
  public FixtureKind<HbmPair> fixture() {
    return HbmPair.KIND;
  }

  @Override
  public String run(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(LENGTH, 0);
    Pattern.fill(pair.memoryOfA(), pair.run().seed());
    HbmChannel channel = pair.a().channel(CHANNEL, ENTRIES).enable();
    use(channel);
    int resets = pair.a().read(HbmRegisters.RESET_COUNT);
    try (Import peer = pair.importOfA(LENGTH)) {
      pair.initiator().copy(peer.iova(), memory.iova(), LENGTH);
      long before = Checksum.of(pair.memoryOfA());
      Duration took = pair.deviceA().vfio().reset();
      pair.run().record("reset", took);
      int after = pair.a().read(HbmRegisters.RESET_COUNT);
      unless(after == resets + 1, "RESET_COUNT went from %d to %d", resets, after);
      checkReset(channel);
      pair.initiator()
          .expectFault(
              Initiator.copying(memory.iova(), peer.iova(), LENGTH),
              ErrorCode.WRITE_FAULT,
              peer.iova());
      pair.initiator()
          .expectFault(
              Initiator.copying(peer.iova(), memory.iova(), LENGTH),
              ErrorCode.READ_FAULT,
              peer.iova());
      pair.run().took(new Route("b", "a", "IOAS mapping of a DMABUF that a reset revoked", false));
      unless(Checksum.of(pair.memoryOfA()) == before, "A's memory changed");
      return "RESET_COUNT %d, write and read fault at IOVA 0x%x; the reset took %d ms"
          .formatted(after, peer.iova(), took.toMillis());
    }
  }

  private static List<Long> registers(HbmChannel channel) {
    long ring = channel.register(HbmRegisters.RING_BASE);
    return List.of(
        HbmRegisters.SCRATCH, channel.register(HbmRegisters.CTRL), ring, channel.doorbell());
  }

  /** Has registers of A hold something. */
  private static void use(HbmChannel channel) throws Exception {
    channel.run(Descriptor.nop().interrupt());
    channel.driver().write(HbmRegisters.SCRATCH, 0x5c7a7c4);
    for (long register : registers(channel)) {
      unless(channel.driver().read(register) != 0, "A's register 0x%x holds nothing", register);
    }
  }

  private static void checkReset(HbmChannel channel) throws Exception {
    for (long register : registers(channel)) {
      int value = channel.driver().read(register);
      unless(value == 0, "A's register 0x%x kept 0x%x", register, value);
    }
    long ring = channel.driver().readLong(channel.register(HbmRegisters.RING_BASE));
    unless(ring == 0, "A's RING_BASE kept 0x%x", ring);
  }
}
