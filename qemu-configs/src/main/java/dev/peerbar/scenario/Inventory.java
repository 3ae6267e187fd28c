package dev.peerbar.scenario;

import dev.peerbar.lab.guest.DmaBufObject;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.OpenFile;
import dev.peerbar.server.ClientHoldings;
import dev.peerbar.server.EndpointServer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What is open, shared, mapped or armed between two scenarios: in the guest, and in the endpoints.
 *
 * @param files that the guest's agent has open
 * @param dmaBufs of the guest's kernel; none if it does not tell
 * @param holdings of the guest at each endpoint, by the endpoint's name
 * @param mappingsCount whether what is mapped at the endpoints is the scenarios'
 */
record Inventory(
    List<OpenFile> files,
    List<DmaBufObject> dmaBufs,
    Map<String, ClientHoldings> holdings,
    boolean mappingsCount) {
  private static final String DMABUFS = "/sys/kernel/debug/dma_buf/bufinfo";

  static Inventory take(Fixture<?> fixture) throws IOException {
    GuestSystem guest = fixture.lab().guest().system();
    Map<String, ClientHoldings> holdings = new TreeMap<>();
    for (EndpointServer server : fixture.servers()) {
      holdings.put(server.function().name(), server.holdings());
    }
    return new Inventory(
        guest.openFiles(),
        guest.exists(DMABUFS) ? guest.dmaBufs() : List.of(),
        holdings,
        !fixture.guestMapsAsItLikes());
  }

  /** What there is more of now, a phrase each. */
  List<String> more(Inventory now) {
    List<String> more = new ArrayList<>();
    now.files.stream()
        .filter(file -> !files.contains(file))
        .forEach(file -> more.add("open in the guest: " + file));
    now.dmaBufs.stream()
        .filter(buffer -> dmaBufs.stream().noneMatch(b -> b.inode() == buffer.inode()))
        .forEach(buffer -> more.add("in the guest's kernel: " + buffer));
    now.holdings.forEach((name, after) -> {
      ClientHoldings before = holdings.get(name);
      int mappings = after.dmaMappings() - before.dmaMappings();
      if (mappingsCount && mappings > 0) {
        more.add("%d ranges mapped at %s".formatted(mappings, name));
      }
      after.eventDescriptors().stream()
          .filter(interrupt -> !before.eventDescriptors().contains(interrupt))
          .forEach(interrupt -> more.add("interrupt %s armed at %s".formatted(interrupt, name)));
    });
    return more;
  }
}
