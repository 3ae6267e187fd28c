package dev.peerbar.driver.fake;

import dev.peerbar.driver.Config;
import dev.peerbar.driver.Device;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.Interrupt;
import dev.peerbar.driver.Memory;
import dev.peerbar.driver.SegmentMemory;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.ConfigLayout.Msix;
import dev.peerbar.pci.MsixTable;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * An endpoint as its driver has it, all in the driver's thread: jobs and updates run while the
 * driver waits, and at no other time.
 *
 * <p>As a host does for its client, this does what config space is written for: it resets the
 * function, and lets it master the bus. The MSI-X structures are storage: what is masked there is
 * signalled all the same.
 */
public final class FakeDevice implements Device {
  private static final long PAGE = 4096;

  /** Where memory begins whose address nobody chose. */
  private static final long FIRST_IOVA = 1L << 32;

  private final FakeHost host;
  private final Endpoint endpoint;
  private final PciFunction function;
  private final Optional<MsixTable> msix;
  private final Map<Integer, Memory> bars = new HashMap<>();
  private long nextIova = FIRST_IOVA;

  /** Starts the endpoint; the function is as after power-on, and masters the bus when told to. */
  public FakeDevice(Endpoint endpoint) {
    this(endpoint, Engine.Polling.NEVER);
  }

  /** As {@link #FakeDevice(Endpoint)}, with a host that polls if told to. */
  public FakeDevice(Endpoint endpoint, Engine.Polling polling) {
    this(new FakeHost(endpoint, polling));
    host.busMaster(function.busMasterEnabled());
  }

  /** A view of a host that is already there. */
  public FakeDevice(FakeHost host) {
    this.host = host;
    endpoint = host.endpoint();
    function = endpoint.function();
    msix = function.msix().map(MsixTable::new);
  }

  /** What the endpoint runs on. */
  public FakeHost host() {
    return host;
  }

  // Config space.

  @Override
  public long readConfig(int offset, AccessWidth width) {
    ByteBuffer value = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    function.readConfig(offset, value.slice(0, width.bytes()));
    return value.getLong(0);
  }

  @Override
  public void writeConfig(int offset, AccessWidth width, long value) {
    ByteBuffer bytes =
        ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, value);
    function.writeConfig(offset, bytes.slice(0, width.bytes()), new Events());
  }

  private final class Events implements PciFunction.Events {
    @Override
    public void functionLevelReset() {
      reset(ResetKind.FUNCTION_LEVEL);
    }

    @Override
    public void d3hotToD0() {
      reset(ResetKind.D3HOT_TO_D0);
    }

    private void reset(ResetKind kind) {
      host.reset(kind);
      msix.ifPresent(MsixTable::reset);
      host.busMaster(function.busMasterEnabled());
    }

    @Override
    public void busMasterChanged(boolean enabled) {
      host.busMaster(enabled);
      endpoint.busMasterChanged(enabled);
    }

    @Override
    public void memorySpaceChanged(boolean enabled) {
      endpoint.memorySpaceChanged(enabled);
    }

    @Override
    public void msixChanged() {}

    @Override
    public void intxChanged() {}
  }

  @Override
  public void reset() throws IOException {
    new Config(this).functionLevelReset();
  }

  // BARs.

  @Override
  public Memory bar(int index) throws IOException {
    Memory bar = bars.get(index);
    if (bar == null) {
      bar = open(index);
      bars.put(index, bar);
    }
    return bar;
  }

  private Memory open(int index) throws IOException {
    return switch (function.bar(index).orElse(null)) {
      case Bar.Memory _ -> new SegmentMemory(host.memory(index));
      case Bar.Registers registers -> new RegisterBar(registers);
      case Bar.Msix structures -> new RegisterBar(new Bar.Registers(index, structures.size()));
      case null -> throw new IOException("the function has no BAR %d".formatted(index));
    };
  }

  /**
   * Every access is the endpoint's to answer, but for those of the MSI-X structures, and those of
   * doorbells in memory, of which it is told.
   */
  private final class RegisterBar extends AccessedMemory {
    private final Bar.Registers bar;

    RegisterBar(Bar.Registers bar) {
      super(bar.size());
      this.bar = bar;
    }

    private boolean mapped(long offset) {
      return bar.mapped().isPresent()
          && offset >= bar.mapped().get().offset()
          && offset - bar.mapped().get().offset() < bar.mapped().get().length();
    }

    private boolean structures(long offset, AccessWidth width) {
      return function
          .msix()
          .filter(layout -> layout.bar() == bar.index())
          .filter(layout ->
              function.bar(bar.index()).orElseThrow() instanceof Bar.Msix
                  || layout.touches(offset, width.bytes()))
          .isPresent();
    }

    private SegmentMemory memory() {
      return new SegmentMemory(host.memory(bar.index()));
    }

    @Override
    public long load(long offset, AccessWidth width) {
      Objects.checkFromIndexSize(offset, width.bytes(), bar.size());
      if (structures(offset, width)) {
        ByteBuffer value = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        msix.orElseThrow().read(offset, value.slice(0, width.bytes()));
        return value.getLong(0);
      }
      return mapped(offset)
          ? memory().load(offset, width)
          : endpoint.read(bar.index(), offset, width);
    }

    @Override
    public void store(long offset, AccessWidth width, long value) {
      Objects.checkFromIndexSize(offset, width.bytes(), bar.size());
      if (structures(offset, width)) {
        ByteBuffer bytes =
            ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, value);
        msix.orElseThrow().write(offset, bytes.slice(0, width.bytes()));
        return;
      }
      long zeroExtended = zeroExtended(value, width);
      if (!mapped(offset)) {
        endpoint.write(bar.index(), offset, width, zeroExtended);
        return;
      }
      boolean changed = memory().load(offset, width) != zeroExtended;
      memory().store(offset, width, value);
      if (changed && width == AccessWidth.DWORD) {
        endpoint.write(bar.index(), offset, width, zeroExtended);
      }
    }
  }

  // Memory of the driver's.

  @Override
  public DmaRange allocate(long length) {
    DmaRange memory = allocate(nextIova, length);
    // Nothing lies beyond it, so that who runs over its end is told.
    nextIova += memory.length() + PAGE;
    return memory;
  }

  @Override
  public DmaRange allocate(long iova, long length) {
    long pages = (length + PAGE - 1) / PAGE * PAGE;
    return DmaRange.of(new SegmentMemory(host.map(iova, pages)), iova);
  }

  @Override
  public void unmap(DmaRange memory) {
    host.unmap(memory.iova());
  }

  // Interrupts and time.

  @Override
  public List<Interrupt> enableMsix(int vectors) throws IOException {
    int most = function.msix().map(PciFunction.MsixLayout::vectors).orElse(0);
    if (vectors > most) {
      throw new IOException("%d vectors of %d".formatted(vectors, most));
    }
    Config config = new Config(this);
    int control = config.capability(Msix.ID) + Msix.MESSAGE_CONTROL;
    config.word(control, config.word(control) & ~Msix.FUNCTION_MASK | Msix.ENABLE);
    return IntStream.range(0, vectors).<Interrupt>mapToObj(Vector::new).toList();
  }

  private final class Vector implements Interrupt {
    private final int index;

    Vector(int index) {
      this.index = index;
    }

    /** There is nothing to wait for, once everything has run. */
    @Override
    public long await(Duration limit) {
      long before = host.takeSignals(index);
      if (before != 0) {
        return before;
      }
      host.settle();
      return host.takeSignals(index);
    }

    @Override
    public long drain() {
      return host.takeSignals(index);
    }
  }

  @Override
  public void relax() {
    host.settle();
  }

  /** Ends what the endpoint is doing. */
  @Override
  public void close() {
    host.endJobs();
  }
}
