package dev.peerbar.scenario.topology;

import dev.peerbar.scenario.Scenario;
import java.util.List;

/** Who may reach whom, and by which route. */
public final class TopologyScenarios {
  private TopologyScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return List.of();
  }
}
