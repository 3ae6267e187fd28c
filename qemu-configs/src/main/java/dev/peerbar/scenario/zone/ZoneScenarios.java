package dev.peerbar.scenario.zone;

import dev.peerbar.scenario.Scenario;
import java.util.List;

/** BARs with struct pages. */
public final class ZoneScenarios {
  private ZoneScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return List.of();
  }
}
