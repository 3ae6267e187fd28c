package dev.peerbar.scenario.fault;

import dev.peerbar.scenario.Scenario;
import java.util.List;

/** Endpoints that misbehave. */
public final class FaultScenarios {
  private FaultScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return List.of();
  }
}
