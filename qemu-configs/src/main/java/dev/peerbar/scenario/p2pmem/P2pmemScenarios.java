package dev.peerbar.scenario.p2pmem;

import dev.peerbar.scenario.Scenario;
import java.util.List;
import java.util.stream.Stream;

/** Memory that the guest's nvme driver lends to others. */
public final class P2pmemScenarios {
  private P2pmemScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return Stream.of(
            List.of(new Publish()),
            AllocateMemory.all(),
            MappingLife.all(),
            List.of(new OwnDisk(), new OtherDisks(), new RefusedByBridge()),
            PinMemory.all(),
            CopyMemory.all(),
            List.of(
                new FioThroughMemory(),
                new QueueDepths(),
                new ResetProvider(),
                new RemovePinned(),
                new Unreachable()))
        .<Scenario<?>>flatMap(List::stream)
        .toList();
  }
}
