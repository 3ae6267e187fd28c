package dev.peerbar.scenario.stock;

import dev.peerbar.scenario.Scenario;
import java.util.List;

/** The guest's own driver on our controllers. */
public final class StockScenarios {
  private StockScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return List.of(
        new BindAtBoot(BindAtBoot.Interrupts.MESSAGES),
        new BindAtBoot(BindAtBoot.Interrupts.PIN),
        new Identify(),
        new Logs(),
        new Blocks(),
        new Refusals(),
        new FileSystem(),
        new Verify(),
        new VerifyOneByOne());
  }
}
