package dev.peerbar.scenario.bar;

import dev.peerbar.scenario.Scenario;
import java.util.List;

/** BARs, mapped by programs of the guest. */
public final class BarScenarios {
  private BarScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return List.of(new MapMemory());
  }
}
