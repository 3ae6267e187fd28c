package dev.peerbar.scenario.bar;

import dev.peerbar.scenario.Scenario;
import java.util.List;
import java.util.stream.Stream;

/** BARs, mapped by programs of the guest. */
public final class BarScenarios {
  private BarScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return Stream.of(
            List.of(new MapMemory()),
            MapParts.all(),
            ChangeMapping.all(),
            Widths.all(),
            Decoding.all(),
            List.of(new LargeBar()))
        .<Scenario<?>>flatMap(List::stream)
        .toList();
  }
}
