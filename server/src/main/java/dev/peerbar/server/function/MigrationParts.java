package dev.peerbar.server.function;

import dev.peerbar.endpoint.Migratable;
import dev.peerbar.endpoint.StateReader;
import dev.peerbar.endpoint.StateWriter;
import dev.peerbar.pci.InvalidStateException;
import dev.peerbar.pci.MsixTable;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.server.function.MigrationStream.Section;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What of a function moves to another process: small parts, which are saved and taken on as a
 * whole, and the memory behind BARs. For the function's thread, while the function is paused.
 */
final class MigrationParts {

  /**
   * A small part.
   *
   * @param index of its BAR, or zero
   * @param least bytes that it can have
   * @param most bytes that it can have
   */
  record Slot(Section type, int index, int least, int most) {}

  private final Migratable endpoint;
  private final Optional<MsixTable> msix;
  private final SortedMap<Integer, DoorbellPage> doorbells;
  private final SortedMap<Integer, SharedBar> memories;
  private final PciFunction.Events events;

  /**
   * @param doorbells by BAR
   * @param memories of memory BARs, by BAR
   * @param events told of what a state that was taken on changed
   */
  MigrationParts(
      Migratable endpoint,
      Optional<MsixTable> msix,
      Map<Integer, DoorbellPage> doorbells,
      Map<Integer, SharedBar> memories,
      PciFunction.Events events) {
    this.endpoint = endpoint;
    this.msix = msix;
    this.doorbells = new TreeMap<>(doorbells);
    this.memories = new TreeMap<>(memories);
    this.events = events;
  }

  byte[] header() {
    return MigrationStream.header(endpoint.function(), endpoint.stateVersion());
  }

  /** The small parts, in their order in the stream. */
  List<Slot> slots() {
    List<Slot> slots = new ArrayList<>();
    slots.add(slot(Section.CONFIG, 0, PciFunction.CONFIG_SPACE_SIZE));
    msix.ifPresent(table -> slots.add(slot(Section.MSIX, 0, table.stateLength())));
    slots.add(new Slot(Section.ENDPOINT, 0, 0, MigrationStream.MOST_ENDPOINT_STATE));
    doorbells.forEach((bar, page) ->
        slots.add(slot(Section.DOORBELLS, bar, Math.toIntExact(page.area().length()))));
    return slots;
  }

  private static Slot slot(Section type, int index, int length) {
    return new Slot(type, index, length, length);
  }

  /** The memory BARs, by index. */
  SortedMap<Integer, SharedBar> memories() {
    return memories;
  }

  /** The contents of {@link #slots}. */
  List<byte[]> save() {
    // First the doorbells: a store that nobody has seen yet becomes part of the endpoint's state.
    List<byte[]> pages = doorbells.values().stream().map(DoorbellPage::save).toList();
    List<byte[]> contents = new ArrayList<>();
    contents.add(endpoint.function().saveState());
    msix.ifPresent(table -> contents.add(table.saveState()));
    StateWriter state = new StateWriter();
    endpoint.save(state);
    byte[] own = state.toBytes();
    if (own.length > MigrationStream.MOST_ENDPOINT_STATE) {
      throw new IllegalStateException("the endpoint saves %d bytes".formatted(own.length));
    }
    contents.add(own);
    contents.addAll(pages);
    return contents;
  }

  /**
   * Takes on the contents of {@link #slots}; the memory is in place already.
   *
   * @throws InvalidStateException if the function can never be in that state; nothing has changed
   */
  void restore(List<byte[]> contents) throws InvalidStateException {
    PciFunction function = endpoint.function();
    boolean busMaster = function.busMasterEnabled();
    boolean memorySpace = function.memorySpaceEnabled();
    byte[] oldConfig = function.saveState();
    Optional<byte[]> oldMsix = msix.map(MsixTable::saveState);
    Iterator<byte[]> next = contents.iterator();
    try {
      function.restoreState(next.next());
      if (msix.isPresent()) {
        msix.get().restoreState(next.next());
      }
      endpoint.restore(new StateReader(next.next()));
    } catch (InvalidStateException e) {
      function.restoreState(oldConfig);
      if (msix.isPresent()) {
        msix.get().restoreState(oldMsix.orElseThrow());
      }
      throw e;
    }
    doorbells.values().forEach(page -> page.restore(next.next()));
    if (function.busMasterEnabled() != busMaster) {
      events.busMasterChanged(function.busMasterEnabled());
    }
    if (function.memorySpaceEnabled() != memorySpace) {
      events.memorySpaceChanged(function.memorySpaceEnabled());
    }
    events.msixChanged();
  }

  /** Makes all memory read as zeros. */
  void zeroMemory() {
    memories.values().forEach(SharedBar::zero);
  }
}
