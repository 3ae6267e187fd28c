package dev.peerbar.scenario.type1;

import dev.peerbar.scenario.Scenario;
import java.util.ArrayList;
import java.util.List;

/** The legacy container of vfio. */
public final class Type1Scenarios {
  private Type1Scenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    List<Scenario<?>> all = new ArrayList<>();
    all.addAll(BarByAddress.all());
    all.addAll(MappingRules.all());
    all.addAll(Ownership.all());
    return List.copyOf(all);
  }
}
