package dev.peerbar.scenario;

import dev.peerbar.pci.Bar;
import dev.peerbar.server.EndpointServer;
import java.util.List;

/**
 * An endpoint that this process serves to a guest.
 *
 * @param name as it is served
 * @param bars that it has
 */
public record ServedEndpoint(String name, List<BarFacts> bars) {

  /**
   * One of its BARs.
   *
   * @param index 0 to 5
   * @param size in bytes
   * @param memory whether it is memory, rather than registers
   */
  public record BarFacts(int index, long size, boolean memory) {}

  public ServedEndpoint {
    bars = List.copyOf(bars);
  }

  static ServedEndpoint of(EndpointServer server) {
    return new ServedEndpoint(
        server.function().name(),
        server.function().function().bars().stream()
            .map(bar -> new BarFacts(bar.index(), bar.size(), bar instanceof Bar.Memory))
            .toList());
  }
}
