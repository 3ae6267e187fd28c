package dev.peerbar.scenario.zone;

import dev.peerbar.scenario.Scenario;
import java.util.List;
import java.util.stream.Stream;

/** BARs with struct pages. */
public final class ZoneScenarios {
  private ZoneScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return Stream.of(Transfers.all(), Lifecycle.all()).<Scenario<?>>flatMap(List::stream).toList();
  }
}
