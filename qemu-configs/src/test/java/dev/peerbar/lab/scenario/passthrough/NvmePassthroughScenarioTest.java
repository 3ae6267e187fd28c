package dev.peerbar.lab.scenario.passthrough;

import dev.peerbar.lab.scenario.StepTests;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** An NVMe controller that a device drives, step by step: one boot for each topology. */
@Tag("guest")
final class NvmePassthroughScenarioTest {

  @TestFactory
  Stream<DynamicNode> passthrough() {
    return StepTests.inEveryTopology("nvme-passthrough", NvmePassthroughScenario::start);
  }
}
