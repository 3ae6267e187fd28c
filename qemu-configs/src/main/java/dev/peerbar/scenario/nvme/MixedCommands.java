package dev.peerbar.scenario.nvme;

import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.nvme.LentController;
import dev.peerbar.scenario.fixture.nvme.MemoryKind;
import dev.peerbar.scenario.fixture.nvme.NvmeHbm;

/** Commands from another device at random, several at a time, beside a model of what they do. */
public final class MixedCommands implements Scenario<NvmeHbm> {
  private static final int COMMANDS = 1000;

  @Override
  public Description description() {
    return Description.of(
        "nvme.mixed-commands",
        "%,d commands of all kinds by B, at random".formatted(COMMANDS),
        "each ends as it should, disk and memory are as a model says");
  }

  @Override
  public FixtureKind<NvmeHbm> fixture() {
    return NvmeHbm.KIND;
  }

  @Override
  public String run(NvmeHbm nvme) throws Exception {
    try (LentController a = nvme.lend()) {
      NvmeQueue queue = a.initialise(MemoryKind.GUEST);
      CommandMix mix = new CommandMix(nvme, a);
      mix.run(queue, COMMANDS);
      mix.check();
      return "%s, through %d entries".formatted(mix, queue.entries());
    }
  }
}
