package dev.peerbar.scenario.tour;

import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.scenario.PlanTests;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** What {@code peerbar lab p2p} shows, on every topology: one boot for each. */
@Tag("guest")
final class P2pTourTest {

  @TestFactory
  Stream<DynamicNode> p2p() throws Exception {
    List<DynamicNode> topologies = new ArrayList<>();
    for (String topology : Topology.NAMES) {
      topologies.add(
          DynamicContainer.dynamicContainer(
              topology, PlanTests.of(P2pTour.on(topology).plan(), "p2p-" + topology)));
    }
    return topologies.stream();
  }
}
