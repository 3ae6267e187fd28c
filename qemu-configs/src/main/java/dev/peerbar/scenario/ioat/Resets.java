package dev.peerbar.scenario.ioat;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.ioat.ChannelError;
import dev.peerbar.devices.ioat.ChannelState;
import dev.peerbar.devices.ioat.IoatDescriptor;
import dev.peerbar.devices.ioat.IoatRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.ioat.IoatChannel;
import dev.peerbar.lab.boot.RefusedAccesses;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.AmdIommu;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.ioat.IoatHbm;
import dev.peerbar.scenario.fixture.ioat.IoatInitiator;
import java.util.ArrayList;
import java.util.List;

/** An I/OAT endpoint B that is stopped while it reaches into an HBM endpoint A, or A is. */
final class Resets {
  /** Registers of 64 bits that a reset of their channel clears. */
  private static final long[] CLEARED = {
    IoatRegisters.CHAINADDR, IoatRegisters.CHANCMP, IoatRegisters.CURDESC
  };

  private Resets() {}

  static List<Scenario<?>> all() {
    return List.of(
        importing(
            "ioat.reset-exporter-under-load",
            "reset A while B copies into its memory, and out of it, %d times"
                .formatted(Load.ROUNDS),
            "B halts with a write error, or a read error; no byte lands after the reset, a new"
                + " import works",
            Resets::exporter),
        importing(
            "ioat.reset-exporter-of-chain",
            "reset A while B runs a loop of descriptors in A's memory, %d times"
                .formatted(Load.ROUNDS),
            "B halts as it cannot fetch the next one, and copies nothing more; a new import works",
            Resets::exporterOfChain),
        Case.on(
                IoatHbm.KIND,
                "ioat.reset-exporter-type1",
                "reset A while B copies through a type1 mapping of its BAR, %d times"
                    .formatted(Load.ROUNDS),
                "the mapping is not cut off: B goes on, or halts with a write error as it meets the"
                    + " reset, and copies on through it",
                Resets::exporterByAddress)
            .needing(GuestFeature.PEER_BARS, GuestFeature.CONTAINERS),
        importing(
            "ioat.reset-initiator-under-load",
            "reset B while it copies into A's memory, %d times".formatted(Load.ROUNDS),
            "B's registers are reset, no byte lands and no interrupt comes after the reset; set up"
                + " again, B copies through the same import",
            Resets::initiator),
        importing(
                "ioat.close-initiator-under-load",
                "close B's descriptor while it copies into A's memory, %d times"
                    .formatted(Load.ROUNDS),
                "no byte lands after the close; opened again, B copies through the same import",
                Resets::close)
            .needing(AmdIommu.LATE_ATTACHMENT),
        importing(
            "ioat.reset-channel-under-load",
            "reset B's channel (CHANCMD) while it copies into A's memory, %d times"
                .formatted(Load.ROUNDS),
            "it is halted without an error, its registers are cleared, no byte lands and no"
                + " interrupt comes any more; then it works",
            Resets::channel),
        importing(
            "ioat.abort-under-load",
            "abort what B copies into A's memory, %d times".formatted(Load.ROUNDS),
            "the channel is halted without an error and keeps its registers, no byte lands and no"
                + " interrupt comes any more; then it works",
            Resets::abort),
        importing(
            "ioat.suspend-under-load",
            "suspend B amid a chain into A's memory, and let it go on, %d times"
                .formatted(Load.ROUNDS),
            "it stops between two descriptors, and does the others when it goes on",
            Resets::suspend));
  }

  private static Case<IoatHbm> importing(
      String name, String does, String expects, Case.Body<IoatHbm> body) {
    return Case.on(IoatHbm.KIND, name, does, expects, body).needing(GuestFeature.DMABUF_IMPORT);
  }

  /** What the vIOMMU says of what is on the wire when A is reset. */
  private static void mayMeet(IoatHbm pair, Import peer) {
    pair.run()
        .mayComplain(RefusedAccesses.of(pair.deviceB().vfio().pci(), peer.iova(), peer.length()));
  }

  private static String exporter(IoatHbm pair) throws Exception {
    Load load = new Load(pair);
    Load.rounds(round -> {
      try (Import peer = pair.importOfA(Load.LENGTH)) {
        mayMeet(pair, peer);
        load.begin(peer.iova(), round);
        load.resetA();
        load.clearTarget();
        pair.initiator().awaitHalt(ChannelError.WRITE_DATA);
        load.checkNothingLands();
        load.checkCutOff(peer.iova());
      }
      try (Import peer = pair.importOfA(Load.LENGTH)) {
        mayMeet(pair, peer);
        load.beginReading(peer.iova(), round);
        load.resetA();
        pair.initiator().awaitHalt(ChannelError.READ_DATA);
        load.checkCutOff(peer.iova());
      }
    });
    try (Import again = pair.importOfA(Load.LENGTH)) {
      load.checkWorks(again.iova());
    }
    return "%d times".formatted(Load.ROUNDS);
  }

  private static String exporterOfChain(IoatHbm pair) throws Exception {
    Load load = new Load(pair);
    Load.rounds(round -> {
      try (Import peer = pair.importOfA(IoatHbm.BAR_SIZE)) {
        mayMeet(pair, peer);
        IoatInitiator b = pair.initiatorWithin(peer, Load.LENGTH);
        load.back().clear();
        b.loop(load.out().iova(), load.back().iova(), Load.LENGTH);
        load.awaitRead(round);
        load.resetA();
        // If all were over before the reset, this is the one that meets it.
        b.channel().issue(1);
        b.awaitHalt(ChannelError.NEXT_ADDRESS);
        load.back().clear();
        b.channel().reset();
        b.channel().clearErrors();
        b.channel().beginAt(b.channel().iova(0));
        b.channel().issue(1);
        b.awaitHalt(ChannelError.NEXT_ADDRESS);
        load.checkNothingComes();
      }
    });
    try (Import again = pair.importOfA(Load.LENGTH)) {
      load.checkWorks(again.iova());
    }
    return "%d times".formatted(Load.ROUNDS);
  }

  private static String exporterByAddress(IoatHbm pair) throws Exception {
    pair.reopenInContainer();
    Load load = new Load(pair);
    DmaRange bar = pair.mapBarOfA();
    List<String> met = new ArrayList<>();
    Load.rounds(round -> {
      load.begin(bar.iova(), round);
      load.resetA();
      load.clearTarget();
      if (load.goesOn(round)) {
        met.add("went on");
      } else {
        pair.initiator().awaitHalt(ChannelError.WRITE_DATA);
        met.add("halted");
      }
      load.checkWorks(bar.iova());
    });
    pair.space().unmap(bar);
    return String.join(", ", met);
  }

  private static String initiator(IoatHbm pair) throws Exception {
    Load load = new Load(pair);
    try (Import peer = pair.importOfA(Load.LENGTH)) {
      Load.rounds(round -> {
        load.begin(peer.iova(), round);
        pair.deviceB().reset();
        checkStatus(pair, 0);
        pair.initiator().driver().start();
        load.checkStopped(peer.iova());
      });
      load.checkWorks(peer.iova());
    }
    return "%d times".formatted(Load.ROUNDS);
  }

  private static String close(IoatHbm pair) throws Exception {
    Load load = new Load(pair);
    try (Import peer = pair.importOfA(Load.LENGTH)) {
      Load.rounds(round -> {
        load.begin(peer.iova(), round);
        pair.deviceB().close();
        load.clearTarget();
        pair.openBAgain();
        load.checkNothingLands();
        load.checkStopped(peer.iova());
      });
      load.checkWorks(peer.iova());
    }
    return "%d times".formatted(Load.ROUNDS);
  }

  private static String channel(IoatHbm pair) throws Exception {
    Load load = new Load(pair);
    IoatChannel channel = pair.initiator().channel();
    try (Import peer = pair.importOfA(Load.LENGTH)) {
      Load.rounds(round -> {
        load.begin(peer.iova(), round);
        channel.reset();
        checkStatus(pair, 0);
        for (long register : CLEARED) {
          long value = pair.initiator().driver().readLong(channel.register(register));
          unless(value == 0, "the register at 0x%x is 0x%x after the reset", register, value);
        }
        load.checkStopped(peer.iova());
      });
      load.checkWorks(peer.iova());
    }
    return "%d times".formatted(Load.ROUNDS);
  }

  private static String abort(IoatHbm pair) throws Exception {
    Load load = new Load(pair);
    IoatChannel channel = pair.initiator().channel();
    try (Import peer = pair.importOfA(Load.LENGTH)) {
      Load.rounds(round -> {
        load.begin(peer.iova(), round);
        channel.command(IoatRegisters.CHANCMD_ABORT);
        checkStatus(pair, channel.lastDone());
        long chain = pair.initiator().driver().readLong(channel.register(IoatRegisters.CHAINADDR));
        unless(chain == channel.iova(0), "CHAINADDR is 0x%x after an abort", chain);
        load.checkStopped(peer.iova());
      });
      load.checkWorks(peer.iova());
    }
    return "%d times".formatted(Load.ROUNDS);
  }

  /** Halted without an error, by now. */
  private static void checkStatus(IoatHbm pair, long last) throws Exception {
    IoatChannel channel = pair.initiator().channel();
    unless(
        channel.status() == (last | ChannelState.HALTED.code()) && channel.errors() == 0,
        "the channel is %s",
        pair.initiator().told());
  }

  private static String suspend(IoatHbm pair) throws Exception {
    Load load = new Load(pair);
    IoatChannel channel = pair.initiator().channel();
    List<String> stops = new ArrayList<>();
    try (Import peer = pair.importOfA(Load.LENGTH)) {
      Load.rounds(round -> {
        load.clearTarget();
        pair.initiator().restart();
        pair.initiator().submit(load.out().iova(), peer.iova(), Load.LENGTH);
        load.awaitWritten(round);
        channel.command(IoatRegisters.CHANCMD_SUSPEND);
        unless(
            channel.awaitRest(IoatInitiator.LIMIT) == ChannelState.SUSPENDED,
            "the channel is %s",
            pair.initiator().told());
        long done = (channel.lastDone() - channel.iova(0)) / IoatDescriptor.BYTES + 1;
        long written = load.written();
        unless(
            written == done * IoatInitiator.LONGEST,
            "0x%x bytes are written, the channel is %s",
            written,
            pair.initiator().told());
        channel.command(IoatRegisters.CHANCMD_RESUME);
        unless(
            channel.awaitRest(IoatInitiator.LIMIT) == ChannelState.DONE,
            "the channel is %s",
            pair.initiator().told());
        load.checkWritten();
        stops.add(Long.toString(done));
      });
    }
    return "suspended after %s descriptors".formatted(String.join(", ", stops));
  }
}
