package dev.peerbar.server.function;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.MsixTable;
import dev.peerbar.pci.PciFunction;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** What is behind the BARs of a function, by index. For the function's thread. */
final class Bars implements AutoCloseable {
  private final String name;
  private final Endpoint endpoint;
  private final Optional<MsixTable> msix;
  private final Map<Integer, Region> regions = new HashMap<>();
  private final Map<Integer, SharedBar> memories = new HashMap<>();
  private final Map<Integer, DoorbellPage> doorbells = new HashMap<>();

  /**
   * @throws LinuxException if the memory of a BAR cannot be had; nothing is left open then
   */
  Bars(String name, Endpoint endpoint, Optional<MsixTable> msix) throws LinuxException {
    this.name = name;
    this.endpoint = endpoint;
    this.msix = msix;
    try {
      for (Bar bar : endpoint.function().bars()) {
        regions.put(
            bar.index(),
            switch (bar) {
              case Bar.Memory memory -> new MemoryRegion(share(memory));
              case Bar.Msix structures -> new MsixRegion(structures.size(), msix.orElseThrow());
              case Bar.Registers registers -> registers(registers);
            });
      }
    } catch (LinuxException e) {
      memories.values().forEach(SharedBar::close);
      throw e;
    }
  }

  private Region registers(Bar.Registers bar) throws LinuxException {
    Optional<DoorbellPage> page = Optional.empty();
    if (bar.mapped().isPresent()) {
      page =
          Optional.of(
              new DoorbellPage(
                  share(bar),
                  bar.mapped().get(),
                  (offset, value) ->
                      endpoint.write(
                          bar.index(), offset, AccessWidth.DWORD, Integer.toUnsignedLong(value))));
      doorbells.put(bar.index(), page.get());
    }
    RegisterRegion registers = new RegisterRegion(endpoint, bar, page);
    Optional<PciFunction.MsixLayout> structures =
        endpoint.function().msix().filter(layout -> layout.bar() == bar.index());
    return structures.isEmpty()
        ? registers
        : new MsixAmongRegisters(structures.get(), msix.orElseThrow(), registers);
  }

  private SharedBar share(Bar bar) throws LinuxException {
    SharedBar memory = new SharedBar(name + "-bar" + bar.index(), bar.size());
    memories.put(bar.index(), memory);
    return memory;
  }

  Map<Integer, Region> regions() {
    return regions;
  }

  Map<Integer, DoorbellPage> doorbells() {
    return doorbells;
  }

  /** Of the BARs that are memory through and through. */
  Map<Integer, SharedBar> memoryBars() {
    Map<Integer, SharedBar> memoryBars = new HashMap<>(memories);
    memoryBars.keySet().removeAll(doorbells.keySet());
    return memoryBars;
  }

  /**
   * Of a memory BAR, or of one with mapped doorbells.
   *
   * @throws IllegalArgumentException if the BAR has no memory
   */
  SharedBar memory(int bar) {
    SharedBar memory = memories.get(bar);
    if (memory == null) {
      throw new IllegalArgumentException("BAR " + bar + " has no memory");
    }
    return memory;
  }

  void clearDoorbells() {
    doorbells.values().forEach(DoorbellPage::clear);
  }

  @Override
  public void close() {
    memories.values().forEach(SharedBar::close);
  }
}
