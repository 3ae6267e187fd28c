package dev.peerbar.scenario.p2p;

import dev.peerbar.scenario.Scenario;
import java.util.List;
import java.util.stream.Stream;

/** Transfers between endpoints. */
public final class P2pScenarios {
  private P2pScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return Stream.of(
            List.<Scenario<?>>of(
                new CopyThereAndBack(), new CopyWhilePolling(), new RingDoorbell()),
            Shapes.all(),
            Edges.all())
        .flatMap(List::stream)
        .toList();
  }
}
