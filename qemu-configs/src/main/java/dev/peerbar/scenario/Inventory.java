package dev.peerbar.scenario;

import dev.peerbar.server.ClientHoldings;
import dev.peerbar.server.EndpointServer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What is open, mapped or armed between two scenarios: in the guest, and in the endpoints.
 *
 * @param holdings of the guest at each endpoint, by the endpoint's name
 */
record Inventory(Map<String, ClientHoldings> holdings) {

  static Inventory take(Fixture<?> fixture) throws IOException {
    Map<String, ClientHoldings> holdings = new TreeMap<>();
    for (EndpointServer server : fixture.servers()) {
      holdings.put(server.function().name(), server.holdings());
    }
    return new Inventory(holdings);
  }

  /** What there is more of now, a phrase each. */
  List<String> more(Inventory now) {
    List<String> more = new ArrayList<>();
    now.holdings.forEach((name, after) -> {
      ClientHoldings before = holdings.get(name);
      int mappings = after.dmaMappings() - before.dmaMappings();
      if (mappings > 0) {
        more.add("%d ranges mapped at %s".formatted(mappings, name));
      }
      after.eventDescriptors().stream()
          .filter(interrupt -> !before.eventDescriptors().contains(interrupt))
          .forEach(interrupt -> more.add("interrupt %s armed at %s".formatted(interrupt, name)));
    });
    return more;
  }
}
