package dev.peerbar.scenario;

import dev.peerbar.scenario.fixture.HbmPair;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** What {@code peerbar lab p2p} shows and more of its families: one boot for each topology. */
@Tag("guest")
final class P2pScenariosTest {

  @TestFactory
  List<DynamicTest> p2p() throws Exception {
    return PlanTests.of(HbmPair.KIND);
  }
}
