package dev.peerbar.server.function;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.MsixTable;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.server.dma.BusMaster;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An endpoint and all that the server keeps for it: the host side of the endpoint interface. It
 * outlives its clients. For the function's thread, but for construction.
 */
public final class ServedFunction implements Host, PciFunction.Events, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ServedFunction.class);

  /** The regions of a vfio-pci function (linux/vfio.h): six BARs, ROM, config space, VGA. */
  public static final int REGION_COUNT = 9;

  /** The region of config space (linux/vfio.h, VFIO_PCI_CONFIG_REGION_INDEX). */
  public static final int CONFIG_REGION = 7;

  private final String name;
  private final Endpoint endpoint;
  private final Executor functionThread;
  private final BusMaster bus;
  private final InterruptTable interrupts;
  private final List<Region> regions;
  private final Map<Integer, SharedBar> memories = new HashMap<>();
  private final Map<Integer, DoorbellPage> doorbells = new HashMap<>();
  private final Map<String, SerialEngine> engines = new HashMap<>();

  /**
   * @param name for logs and threads
   * @param functionThread runs what it is given on the function's thread, in order
   * @throws LinuxException if the memory of a BAR cannot be had
   */
  public ServedFunction(String name, Endpoint endpoint, Executor functionThread)
      throws LinuxException {
    this.name = name;
    this.endpoint = endpoint;
    this.functionThread = functionThread;
    this.bus = new BusMaster(functionThread);
    PciFunction function = endpoint.function();
    Optional<MsixTable> msix = function.msix().map(MsixTable::new);
    this.interrupts = new InterruptTable(name, function, msix);
    List<Region> all = new ArrayList<>(Collections.nCopies(REGION_COUNT, new EmptyRegion()));
    try {
      for (Bar bar : function.bars()) {
        all.set(bar.index(), region(bar, msix));
      }
    } catch (LinuxException e) {
      memories.values().forEach(SharedBar::close);
      throw e;
    }
    all.set(CONFIG_REGION, new ConfigRegion(function, this));
    this.regions = List.copyOf(all);
    endpoint.start(this);
    doorbells.values().forEach(DoorbellPage::start);
  }

  private Region region(Bar bar, Optional<MsixTable> msix) throws LinuxException {
    return switch (bar) {
      case Bar.Memory memory -> new MemoryRegion(share(memory));
      case Bar.Msix structures -> new MsixRegion(structures.size(), msix.orElseThrow());
      case Bar.Registers registers -> {
        Optional<DoorbellPage> page = Optional.empty();
        if (registers.mapped().isPresent()) {
          page = Optional.of(doorbells(registers, registers.mapped().get()));
        }
        yield new RegisterRegion(endpoint, registers, page);
      }
    };
  }

  private DoorbellPage doorbells(Bar.Registers bar, Bar.Doorbells layout) throws LinuxException {
    DoorbellPage page =
        new DoorbellPage(
            name,
            share(bar),
            layout,
            functionThread,
            (offset, value) ->
                endpoint.write(
                    bar.index(), offset, AccessWidth.DWORD, Integer.toUnsignedLong(value)));
    doorbells.put(bar.index(), page);
    return page;
  }

  private SharedBar share(Bar bar) throws LinuxException {
    SharedBar memory = new SharedBar(name + "-bar" + bar.index(), bar.size());
    memories.put(bar.index(), memory);
    return memory;
  }

  public String name() {
    return name;
  }

  public PciFunction function() {
    return endpoint.function();
  }

  /** By vfio-pci index, {@link #REGION_COUNT} of them. */
  public List<Region> regions() {
    return regions;
  }

  public BusMaster bus() {
    return bus;
  }

  @Override
  public InterruptTable interrupts() {
    return interrupts;
  }

  @Override
  public MemorySegment memory(int bar) {
    SharedBar memory = memories.get(bar);
    if (memory == null) {
      throw new IllegalArgumentException("BAR " + bar + " has no memory");
    }
    return memory.memory();
  }

  @Override
  public void zero(int bar) {
    SharedBar memory = memories.get(bar);
    if (memory == null) {
      throw new IllegalArgumentException("BAR " + bar + " has no memory");
    }
    memory.zero();
  }

  @Override
  public Engine engine(String engineName) {
    SerialEngine engine = new SerialEngine(name + "-" + engineName, bus, functionThread);
    if (engines.putIfAbsent(engineName, engine) != null) {
      throw new IllegalArgumentException("two engines named " + engineName);
    }
    return engine;
  }

  @Override
  public void clearDoorbell(int bar, long offset) {
    DoorbellPage page = doorbells.get(bar);
    if (page != null) {
      page.clear(offset);
    }
  }

  /**
   * Resets the function. When this returns nothing of what it did before is issued any more: no
   * copy, no message, no interrupt.
   */
  public void reset(ResetKind kind) {
    log.info("{}: reset, {}", name, kind);
    engines.values().forEach(SerialEngine::endAll);
    bus.gate().drain();
    endpoint.function().reset(kind);
    bus.enable(endpoint.function().busMasterEnabled());
    interrupts.reset();
    doorbells.values().forEach(DoorbellPage::clear);
    endpoint.reset(kind);
  }

  /** The client has gone: what it brought is freed, the device's own state stays. */
  public void clientGone() {
    bus.messages(Optional.empty());
    bus.table().clear();
    interrupts.releaseAll();
  }

  @Override
  public void functionLevelReset() {
    reset(ResetKind.FUNCTION_LEVEL);
  }

  @Override
  public void d3hotToD0() {
    reset(ResetKind.D3HOT_TO_D0);
  }

  @Override
  public void busMasterChanged(boolean enabled) {
    bus.enable(enabled);
    endpoint.busMasterChanged(enabled);
    interrupts.deliverPending();
  }

  @Override
  public void memorySpaceChanged(boolean enabled) {
    endpoint.memorySpaceChanged(enabled);
  }

  @Override
  public void msixChanged() {
    interrupts.deliverPending();
  }

  /** Ends all work and frees everything. No call may follow. */
  @Override
  public void close() {
    doorbells.values().forEach(DoorbellPage::close);
    engines.values().forEach(SerialEngine::endAll);
    bus.gate().drain();
    engines.values().forEach(SerialEngine::shutDown);
    clientGone();
    memories.values().forEach(SharedBar::close);
  }
}
