package dev.peerbar.scenario.ioat;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.ioat.IoatDescriptor;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.ioat.IoatChannel;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.ioat.IoatHbm;
import dev.peerbar.scenario.fixture.ioat.IoatInitiator;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** An I/OAT endpoint B that reaches into an HBM endpoint A. */
final class Peers {
  private static final long MIB = 1L << 20;

  private Peers() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                IoatHbm.KIND,
                "p2p.ioat-to-hbm",
                "B (I/OAT) copies %d MiB into an import of A's memory, and back"
                    .formatted(Load.LENGTH / MIB),
                "the host sees them in A's memory, and the guest what came back",
                Peers::copy)
            .needing(GuestFeature.DMABUF_IMPORT),
        Case.on(
                IoatHbm.KIND,
                "p2p.ioat-type1",
                "the same through A's memory BAR, mapped in a container by its address",
                "both ends see the same; unmapped, B halts with a write and a read error; mapped"
                    + " again, it works",
                Peers::byAddress)
            .needing(GuestFeature.PEER_BARS, GuestFeature.CONTAINERS),
        Case.on(
                IoatHbm.KIND,
                "p2p.ioat-chain-in-hbm",
                "B's descriptors and its completion word lie in A's memory",
                "it fetches them from there, writes the completion there, and copies as ever",
                Peers::chain)
            .needing(GuestFeature.DMABUF_IMPORT));
  }

  private static String copy(IoatHbm pair) throws Exception {
    Load load = new Load(pair);
    try (Import peer = pair.importOfA(Load.LENGTH)) {
      load.checkWorks(peer.iova());
      return "%d MiB at IOVA 0x%x".formatted(Load.LENGTH / MIB, peer.iova());
    }
  }

  private static String byAddress(IoatHbm pair) throws Exception {
    pair.reopenInContainer();
    Load load = new Load(pair);
    DmaRange bar = pair.mapBarOfA();
    load.checkWorks(bar.iova());
    long gone = pair.space().unmap(bar);
    unless(gone == IoatHbm.BAR_SIZE, "0x%x bytes unmapped", gone);
    load.checkCutOff(bar.iova());
    DmaRange again = pair.mapBarOfA();
    load.checkWorks(again.iova());
    pair.space().unmap(again);
    return "IOVA 0x%x, then 0x%x".formatted(bar.iova(), again.iova());
  }

  private static String chain(IoatHbm pair) throws Exception {
    Load load = new Load(pair);
    try (Import peer = pair.importOfA(IoatHbm.BAR_SIZE)) {
      IoatInitiator b = pair.initiatorWithin(peer, Load.LENGTH);
      load.clearTarget();
      b.copy(load.out().iova(), peer.iova(), Load.LENGTH);
      load.checkWritten();
      IoatChannel channel = b.channel();
      long at = channel.completion().iova() - peer.iova();
      long status = pair.memoryOfA().get(ValueLayout.JAVA_LONG, at);
      unless(
          (status & -IoatDescriptor.BYTES) == channel.lastDone(),
          "the completion in A's memory is 0x%x, the channel is %s",
          status,
          b.told());
      return "%d descriptors from IOVA 0x%x on".formatted(Load.LENGTH / MIB, channel.iova(0));
    }
  }
}
