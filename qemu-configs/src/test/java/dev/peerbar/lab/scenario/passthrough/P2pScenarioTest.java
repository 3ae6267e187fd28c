package dev.peerbar.lab.scenario.passthrough;

import dev.peerbar.lab.scenario.StepTests;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** The steps of {@code peerbar lab p2p}, each a test: one boot for each topology. */
@Tag("guest")
final class P2pScenarioTest {

  @TestFactory
  Stream<DynamicNode> p2p() {
    return StepTests.inEveryTopology("p2p", P2pScenario::start);
  }
}
