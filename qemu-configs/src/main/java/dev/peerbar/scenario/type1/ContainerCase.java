package dev.peerbar.scenario.type1;

import dev.peerbar.lab.vfio.VfioContainer.Type;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.fixture.HbmPair;

/** Scenarios of a pair in a container. */
final class ContainerCase {
  private ContainerCase() {}

  /** What one does. */
  @FunctionalInterface
  interface Body {
    String run(HbmPair pair, Legacy legacy) throws Exception;
  }

  /** One with functions at work, by the rules of type1v2. */
  static Case<HbmPair> of(String name, String does, String expects, Body body) {
    return of(name, does, expects, Type.TYPE1V2, body);
  }

  /** One with functions at work, by the rules of a type. */
  static Case<HbmPair> of(String name, String does, String expects, Type type, Body body) {
    return Case.on(
            HbmPair.KIND,
            name,
            does,
            expects,
            pair -> {
              try (Legacy legacy = Legacy.open(pair, type)) {
                return body.run(pair, legacy);
              }
            })
        .needing(GuestFeature.PEER_BARS, GuestFeature.CONTAINERS);
  }

  /** One with groups that are open, and nothing else. */
  static Case<HbmPair> withoutDevices(String name, String does, String expects, Body body) {
    return Case.on(
            HbmPair.KIND,
            name,
            does,
            expects,
            pair -> {
              try (Legacy legacy = Legacy.withoutDevices(pair)) {
                return body.run(pair, legacy);
              }
            })
        .needing(GuestFeature.CONTAINERS);
  }
}
