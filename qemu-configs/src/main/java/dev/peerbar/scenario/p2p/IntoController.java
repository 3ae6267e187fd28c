package dev.peerbar.scenario.p2p;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Route;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.nvme.LentController;
import dev.peerbar.scenario.fixture.nvme.MemoryKind;
import dev.peerbar.scenario.fixture.nvme.NvmeHbm;
import dev.peerbar.scenario.fixture.nvme.PeerMemories;

/** A controller's memory is a peer's target as an accelerator's is. */
final class IntoController implements Scenario<NvmeHbm> {
  private static final long LENGTH = 1L << 20;

  @Override
  public Description description() {
    return Description.of(
        "p2p.hbm-to-cmb",
        "an HBM endpoint copies its own memory into a controller's CMB, and back elsewhere",
        "every byte right in the CMB, for guest and host, and in its memory again");
  }

  @Override
  public FixtureKind<NvmeHbm> fixture() {
    return NvmeHbm.KIND;
  }

  @Override
  public String run(NvmeHbm nvme) throws Exception {
    try (LentController a = nvme.lend()) {
      PeerMemories memories = a.memories();
      long seed = nvme.nextSeed();
      memories.fill(MemoryKind.HBM, 0, LENGTH, seed);
      memories.clear(MemoryKind.HBM, LENGTH, LENGTH);
      memories.clear(MemoryKind.CMB, 0, LENGTH);
      DmaRange from = memories.data(MemoryKind.HBM, 0, LENGTH);
      DmaRange again = memories.data(MemoryKind.HBM, LENGTH, LENGTH);
      DmaRange cmb = memories.data(MemoryKind.CMB, 0, LENGTH);
      HbmChannel channel = nvme.channel();
      int entry =
          channel.submit(
              Descriptor.copy(LENGTH).fromLocal(from.offset()).to(cmb.iova()),
              Descriptor.copy(LENGTH).from(cmb.iova()).toLocal(again.offset()).interrupt());
      unless(channel.awaitInterrupt(NvmeDriver.LIMIT), "the channel is %s", channel.state());
      unless(
          channel.completion(entry).moved() == LENGTH
              && channel.completion(entry + 1).moved() == LENGTH,
          "%s, %s",
          channel.completion(entry),
          channel.completion(entry + 1));
      memories.check(MemoryKind.CMB, 0, LENGTH, seed);
      memories.check(MemoryKind.HBM, LENGTH, LENGTH, seed);
      nvme.run().took(new Route("b", "a", "IOAS mapping of a DMABUF", true));
      return "1 MiB to 0x%x and back".formatted(cmb.iova());
    }
  }
}
