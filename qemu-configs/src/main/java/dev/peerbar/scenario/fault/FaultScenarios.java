package dev.peerbar.scenario.fault;

import dev.peerbar.scenario.Scenario;
import java.util.List;
import java.util.stream.Stream;

/** Endpoints that misbehave. */
public final class FaultScenarios {
  private FaultScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return Stream.of(
            SlowResets.all(),
            NoAnswer.all(),
            StuckChannel.all(),
            OddInterrupts.all(),
            LateReplies.all(),
            StrayWrites.all(),
            StockDriver.all(),
            ReportedErrors.all())
        .flatMap(List::stream)
        .toList();
  }
}
