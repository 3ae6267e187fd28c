package dev.peerbar.scenario.flr;

import dev.peerbar.scenario.Scenario;
import java.util.List;

/** Resets, and what they take away. */
public final class FlrScenarios {
  private FlrScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return List.of(
        new ResetExporter(),
        new ImportAgain(),
        new ExporterUnderLoad(),
        new InitiatorUnderLoad(),
        new RaceMmap(),
        new ControllerUnderLoad(),
        new StockUnderLoad());
  }
}
