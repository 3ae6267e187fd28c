package dev.peerbar.scenario.ioat;

import dev.peerbar.scenario.Scenario;
import java.util.List;
import java.util.stream.Stream;

/** An I/OAT endpoint. */
public final class IoatScenarios {
  private IoatScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return Stream.of(Descriptors.all(), Peers.all(), Resets.all(), StockDriver.all())
        .flatMap(List::stream)
        .toList();
  }
}
