package dev.peerbar.scenario.ioat;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.devices.ioat.ChannelError;
import dev.peerbar.devices.ioat.ChannelState;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.ioat.IoatChannel;
import dev.peerbar.lab.boot.RefusedAccesses;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.Checksum;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Wait;
import dev.peerbar.scenario.fixture.ioat.IoatHbm;
import dev.peerbar.scenario.fixture.ioat.IoatInitiator;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** An I/OAT endpoint B that reaches into an HBM endpoint A. */
final class Peers {
  private static final long LENGTH = 8L << 20;
  private static final long LOAD = 64L << 20;
  private static final long PROGRESS = 256L << 10;
  private static final int ROUNDS = 4;

  private Peers() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                IoatHbm.KIND,
                "p2p.ioat-to-hbm",
                "B (I/OAT) copies %d MiB into an import of A's memory, and back"
                    .formatted(LENGTH >> 20),
                "the host sees them in A's memory, and the guest what came back",
                Peers::copy)
            .needing(GuestFeature.DMABUF_IMPORT),
        Case.on(
                IoatHbm.KIND,
                "ioat.reset-exporter-under-load",
                "reset A while B copies into its memory, %d times".formatted(ROUNDS),
                "B halts with a write error and no interrupt, no byte lands after the reset, a new"
                    + " import works",
                Peers::resetExporter)
            .needing(GuestFeature.DMABUF_IMPORT),
        Case.on(
                IoatHbm.KIND,
                "ioat.reset-initiator-under-load",
                "reset B while it copies into A's memory, %d times".formatted(ROUNDS),
                "B's registers are reset, no byte lands after the reset; set up again, B copies"
                    + " through the same import",
                Peers::resetInitiator)
            .needing(GuestFeature.DMABUF_IMPORT));
  }

  private static void roundTrip(IoatHbm pair, long iova, DmaRange out, DmaRange back)
      throws Exception {
    long seed = pair.run().seed();
    long length = back.length();
    MemorySegment target = pair.memoryOfA().asSlice(0, length);
    target.fill((byte) 0);
    back.clear();
    pair.initiator().copy(out.iova(), iova, length);
    long mismatch = Pattern.mismatch(target, seed);
    unless(mismatch == length, "A's memory differs at 0x%x", mismatch);
    pair.initiator().copy(iova, back.iova(), length);
    var seen = Pattern.verify(back, seed);
    unless(seen.isEmpty(), "what came back differs: %s", seen);
  }

  private static String copy(IoatHbm pair) throws Exception {
    DmaRange out = pair.allocate(LENGTH, 0);
    DmaRange back = pair.allocate(LENGTH, 0);
    Pattern.fill(out, pair.run().seed());
    try (Import peer = pair.importOfA(LENGTH)) {
      roundTrip(pair, peer.iova(), out, back);
      return "%d MiB at IOVA 0x%x".formatted(LENGTH >> 20, peer.iova());
    }
  }

  /** B copies all of the import, and is amid it when this returns. */
  private static void load(IoatHbm pair, DmaRange out, Import peer, int round) throws Exception {
    MemorySegment target = pair.memoryOfA();
    target.fill((byte) 0);
    pair.initiator().restart();
    pair.initiator().submit(out.iova(), peer.iova(), LOAD);
    long reached = round * PROGRESS;
    Wait.until(
        () -> target.get(ValueLayout.JAVA_LONG, reached) != 0,
        IoatInitiator.LIMIT,
        "a copy to reach 0x%x".formatted(reached));
  }

  private static String resetExporter(IoatHbm pair) throws Exception {
    DmaRange out = pair.allocate(LOAD, 0);
    DmaRange back = pair.allocate(LENGTH, 0);
    Pattern.fill(out, pair.run().seed());
    for (int round = 1; round <= ROUNDS; round++) {
      try (Import peer = pair.importOfA(LOAD)) {
        pair.run()
            .mayComplain(
                RefusedAccesses.writes(pair.deviceB().vfio().pci(), peer.iova(), peer.length()));
        int resets = pair.a().read(HbmRegisters.RESET_COUNT);
        load(pair, out, peer, round);
        pair.deviceA().reset();
        long landed = Checksum.of(pair.memoryOfA());
        IoatChannel channel = pair.initiator().channel();
        unless(
            channel.awaitRest(IoatInitiator.LIMIT) == ChannelState.HALTED
                && channel.errors() == ChannelError.WRITE_DATA.mask(),
            "round %d: the channel is %s",
            round,
            pair.initiator().told());
        unless(channel.vector().drain() == 0, "round %d: it has interrupted", round);
        int after = pair.a().read(HbmRegisters.RESET_COUNT);
        unless(after == resets + 1, "RESET_COUNT went from %d to %d", resets, after);
        pair.initiator().expectHalt(out.iova(), peer.iova(), 4096, ChannelError.WRITE_DATA);
        unless(
            Checksum.of(pair.memoryOfA()) == landed,
            "round %d: A's memory changed afterwards",
            round);
      }
      pair.a().setUp();
    }
    try (Import again = pair.importOfA(LENGTH)) {
      roundTrip(pair, again.iova(), out, back);
    }
    return "%d times".formatted(ROUNDS);
  }

  private static String resetInitiator(IoatHbm pair) throws Exception {
    DmaRange out = pair.allocate(LOAD, 0);
    DmaRange back = pair.allocate(LENGTH, 0);
    Pattern.fill(out, pair.run().seed());
    try (Import peer = pair.importOfA(LOAD)) {
      for (int round = 1; round <= ROUNDS; round++) {
        load(pair, out, peer, round);
        pair.deviceB().reset();
        long landed = Checksum.of(pair.memoryOfA());
        pair.initiator().driver().start();
        unless(
            pair.initiator().channel().status() == ChannelState.HALTED.code()
                && pair.initiator().channel().errors() == 0,
            "round %d: after the reset the channel is %s",
            round,
            pair.initiator().told());
        // QEMU takes requests in turn: what was on the wire is over when this has come back.
        pair.initiator().copy(peer.iova() + LOAD - 4096, back.iova(), 4096);
        unless(
            Checksum.of(pair.memoryOfA()) == landed,
            "round %d: A's memory changed afterwards",
            round);
      }
      roundTrip(pair, peer.iova(), out, back);
    }
    return "%d times".formatted(ROUNDS);
  }
}
