package dev.peerbar.scenario.flr;

import dev.peerbar.scenario.Scenario;
import java.util.ArrayList;
import java.util.List;

/** Resets, and what they take away. */
public final class FlrScenarios {
  private FlrScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    List<Scenario<?>> all = new ArrayList<>();
    all.addAll(
        List.of(
            new ResetExporter(),
            new ImportAgain(),
            new ExporterUnderLoad(),
            new InitiatorUnderLoad()));
    for (Upset upset : Upset.values()) {
      all.add(new UpsetExporter(upset).scenario());
      all.add(new UpsetExporterUnderLoad(upset).scenario());
      if (upset != Upset.LOW_POWER) {
        all.add(new UpsetInitiatorUnderLoad(upset).scenario());
      }
    }
    all.addAll(Backdoor.all());
    all.addAll(ResetRaces.all());
    all.addAll(Storms.all());
    all.addAll(List.of(new RaceMmap(), new ControllerUnderLoad(), new StockUnderLoad()));
    return List.copyOf(all);
  }
}
