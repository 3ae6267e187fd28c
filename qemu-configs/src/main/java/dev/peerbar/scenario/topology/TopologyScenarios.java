package dev.peerbar.scenario.topology;

import dev.peerbar.scenario.Scenario;
import java.util.List;
import java.util.stream.Stream;

/** Who may reach whom, and by which route. */
public final class TopologyScenarios {
  private TopologyScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return Stream.of(
            Places.all(),
            List.<Scenario<?>>of(new ImportAnywhere()),
            RouteBetween.all(),
            List.<Scenario<?>>of(new AcsRedirect()))
        .flatMap(List::stream)
        .toList();
  }
}
