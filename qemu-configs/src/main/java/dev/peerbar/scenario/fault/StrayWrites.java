package dev.peerbar.scenario.fault;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.driver.Config;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.endpoint.DmaFaultException.Reason;
import dev.peerbar.lab.boot.RefusedAccesses;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.Misbehaving;
import dev.peerbar.server.fault.Fault;
import java.util.List;

/** An endpoint that writes where nobody told it to. */
final class StrayWrites {
  /**
   * Where an IOAS maps nothing by itself: far above all memory, and below the end of any IOMMU's.
   */
  private static final long NOWHERE = 1L << 37;

  private static final long LENGTH = 64L << 10;

  private StrayWrites() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
            HbmPair.KIND,
            "fault.stray-write",
            "have B write to an address that it was never given",
            "B's own table refuses it, QEMU sees nothing of it",
            pair -> write(pair, true, "refused by the endpoint: " + Reason.UNMAPPED)),
        Case.on(
            HbmPair.KIND,
            "fault.unchecked-write",
            "have B write there without a look at its table",
            "QEMU refuses it, once",
            pair -> {
              pair.run()
                  .mayComplain(
                      RefusedAccesses.writes(pair.deviceB().vfio().pci(), NOWHERE, Long.BYTES));
              return write(pair, false, "refused by the client");
            }),
        Case.on(
            HbmPair.KIND,
            "fault.no-stray-copy",
            "unmap guest memory that B has copied into, and have B copy there again",
            "the copy faults at its first byte, and no byte lands",
            StrayWrites::copyToUnmapped),
        Case.on(
            HbmPair.KIND,
            "fault.no-stray-read",
            "unmap guest memory that B has copied from, and have B copy from there again",
            "the copy faults at its first byte, and no byte lands",
            StrayWrites::copyFromUnmapped),
        Case.on(
            HbmPair.KIND,
            "fault.no-bus-master",
            "clear B's Bus Master Enable, and have B copy",
            "the copy ends in an error that says so, and no byte lands; set again, B works",
            StrayWrites::copyWithoutBusMaster));
  }

  private static String write(HbmPair pair, boolean checked, String expected) throws Exception {
    SoundPair sound = new SoundPair(pair);
    sound.checkB();
    String seen = Misbehaving.once(pair.serverB(), new Fault.StrayWrite(NOWHERE, checked));
    unless(seen.equals(expected), "%s", seen);
    sound.checkB();
    sound.checkA();
    return seen;
  }

  private static String copyToUnmapped(HbmPair pair) throws Exception {
    SoundPair sound = new SoundPair(pair);
    long from = sound.memory().iova();
    try (GuestMemory memory = pair.guest().allocate(LENGTH)) {
      DmaRange range = pair.space().map(memory);
      pair.initiator().copy(from, range.iova(), LENGTH);
      memory.fill(0, LENGTH, (byte) 0);
      pair.space().unmap(range);
      ends(
          pair, Initiator.copying(from, range.iova(), LENGTH), ErrorCode.WRITE_FAULT, range.iova());
      checkZero(memory);
    }
    sound.checkB();
    return "WRITE_FAULT";
  }

  private static String copyFromUnmapped(HbmPair pair) throws Exception {
    SoundPair sound = new SoundPair(pair);
    DmaRange target = pair.allocate(LENGTH, 0);
    try (GuestMemory memory = pair.guest().allocate(LENGTH)) {
      memory.fillPattern(0, LENGTH, pair.run().seed());
      DmaRange range = pair.space().map(memory);
      pair.initiator().copy(range.iova(), target.iova(), LENGTH);
      pair.space().unmap(range);
      long seed = ~pair.run().seed();
      GuestMemory.of(target).fillPattern(0, LENGTH, seed);
      ends(
          pair,
          Initiator.copying(range.iova(), target.iova(), LENGTH),
          ErrorCode.READ_FAULT,
          range.iova());
      var seen = GuestMemory.of(target).verifyPattern(0, LENGTH, seed);
      unless(seen.isEmpty(), "bytes have landed: %s", seen);
    }
    sound.checkB();
    return "READ_FAULT";
  }

  private static String copyWithoutBusMaster(HbmPair pair) throws Exception {
    SoundPair sound = new SoundPair(pair);
    Config config = new Config(pair.deviceB());
    DmaRange target = pair.allocate(LENGTH, 0);
    pair.initiator().restart();
    config.busMaster(false);
    try {
      pair.initiator()
          .channel()
          .submit(Initiator.copying(sound.memory().iova(), target.iova(), LENGTH));
      ChannelState state = pair.initiator().channel().awaitRest(Initiator.LIMIT);
      int error = pair.initiator().channel().error();
      unless(
          state == ChannelState.HALTED && error == ErrorCode.BUS_MASTER_DISABLED.code(),
          "the channel is %s, error %d",
          state,
          error);
    } finally {
      config.busMaster(true);
    }
    unless(target.loadLong(0) == 0, "a byte has landed");
    sound.checkB();
    return "BUS_MASTER_DISABLED";
  }

  /** A descriptor that has to halt the channel, looked at without an interrupt. */
  private static void ends(HbmPair pair, Descriptor descriptor, ErrorCode error, long address)
      throws Exception {
    pair.initiator().restart();
    pair.initiator().channel().submit(descriptor);
    ChannelState state = pair.initiator().channel().awaitRest(Initiator.LIMIT);
    int seen = pair.initiator().channel().error();
    long at = pair.b().faultAddress();
    unless(
        state == ChannelState.HALTED && seen == error.code() && at == address,
        "the channel is %s, error %d at 0x%x",
        state,
        seen,
        at);
  }

  private static void checkZero(GuestMemory memory) throws Exception {
    for (byte landed : memory.read(0, (int) LENGTH)) {
      unless(landed == 0, "a byte has landed");
    }
  }
}
