package dev.peerbar.scenario;

import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.scenario.suite.Suite;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** What {@code peerbar lab p2p} shows and more of its families: one boot for each topology. */
@Tag("guest")
final class P2pScenariosTest {
  private static final List<String> FAMILIES = List.of("{life,bar,iommufd,p2p,flr}.*");

  @TestFactory
  List<DynamicTest> p2p() throws Exception {
    return PlanTests.of(Plan.of(Suite.ALL.matching(FAMILIES), Topology.NAMES, 1), "p2p");
  }
}
