package dev.peerbar.scenario.p2pmem;

import dev.peerbar.scenario.Scenario;
import java.util.List;

/** Memory that the guest's nvme driver lends to others. */
public final class P2pmemScenarios {
  private P2pmemScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return List.of(
        new Publish(),
        new OwnDisk(),
        new OtherDisks(),
        new RefusedByBridge(),
        new FioThroughMemory(),
        new Unreachable());
  }
}
