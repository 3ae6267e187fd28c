package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Migratable;
import dev.peerbar.endpoint.RegisterMap;
import dev.peerbar.endpoint.StateReader;
import dev.peerbar.endpoint.StateWriter;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.InvalidStateException;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.PciFunctionBuilder;
import dev.peerbar.pci.ResetKind;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** The HBM endpoint, register ABI 1.0. */
public final class HbmEndpoint implements Migratable {
  private static final int VENDOR_ID = 0x1234;
  private static final int DEVICE_ID = 0x7032;
  private static final int PROCESSING_ACCELERATOR = 0x120000;
  private static final int REVISION = 1;
  private static final int STATE_VERSION = 1;
  private static final long DEFAULT_SERIAL_NUMBER = 0x5042_0000_0000_0001L;

  /** Per channel. More than a client takes descriptors for is of no use. */
  private static final int EVENT_VALUES = 16;

  private final HbmConfig config;
  private final PciFunction function;
  private final FaultLatch faults = new FaultLatch();
  private final RegisterMap registers = new RegisterMap(HbmRegisters.BAR_SIZE);

  private Host host;
  private List<Channel> channels = List.of();
  private long resetCount;
  private long scratch;

  public HbmEndpoint(HbmConfig config) {
    this(config, DEFAULT_SERIAL_NUMBER);
  }

  /**
   * @param serialNumber shown in the Device Serial Number capability, to tell endpoints apart
   */
  public HbmEndpoint(HbmConfig config, long serialNumber) {
    this.config = config;
    PciFunctionBuilder declaration =
        PciFunction.builder()
            .identity(VENDOR_ID, DEVICE_ID)
            .classCode(PROCESSING_ACCELERATOR)
            .revision(REVISION)
            .memory(HbmRegisters.MEMORY_BAR, config.barSize())
            .msix(
                HbmRegisters.MSIX_BAR,
                HbmRegisters.MSIX_BAR_SIZE,
                config.channels() + 1,
                HbmRegisters.MSIX_TABLE,
                HbmRegisters.MSIX_PENDING)
            .advancedErrorReporting()
            .serialNumber(serialNumber);
    function =
        switch (config.doorbells()) {
          case TRAP ->
              declaration
                  .registers(HbmRegisters.BAR, HbmRegisters.BAR_SIZE, ioEventFds(config.channels()))
                  .build();
          case MAP ->
              declaration
                  .registers(
                      HbmRegisters.BAR,
                      HbmRegisters.BAR_SIZE,
                      new Bar.Doorbells(
                          HbmRegisters.DOORBELLS,
                          HbmRegisters.DOORBELLS_LENGTH,
                          HbmRegisters.DOORBELL_STRIDE,
                          config.channels()))
                  .build();
        };
  }

  /**
   * The values of TAIL that event descriptors may stand for, spread over the channels. In turn for
   * each: 1, which the first entry after an enable rings, whatever the ring; 0, the other one of a
   * ring of two entries, and the end of any other; then 2, 3 and so on.
   */
  private static List<Bar.IoEventFd> ioEventFds(int channels) {
    return IntStream.range(0, EVENT_VALUES)
        .map(turn -> turn < 2 ? 1 - turn : turn)
        .boxed()
        .flatMap(value ->
            IntStream.range(0, channels)
                .mapToObj(channel ->
                    new Bar.IoEventFd(HbmRegisters.doorbell(channel), AccessWidth.DWORD, value)))
        .toList();
  }

  @Override
  public PciFunction function() {
    return function;
  }

  @Override
  public void start(Host newHost) {
    host = newHost;
    channels =
        IntStream.range(0, config.channels())
            .mapToObj(index -> new Channel(index, host, faults))
            .toList();
    registers
        .readOnly(HbmRegisters.ID, "ID", 4, () -> HbmRegisters.ID_VALUE)
        .readOnly(HbmRegisters.VERSION, "VERSION", 4, () -> HbmRegisters.VERSION_VALUE)
        .readOnly(HbmRegisters.CAPS, "CAPS", 4, this::caps)
        .readOnly(HbmRegisters.STATUS, "STATUS", 4, this::status)
        .readOnly(HbmRegisters.MEM_SIZE, "MEM_SIZE", 8, config::barSize)
        .readOnly(HbmRegisters.RESET_COUNT, "RESET_COUNT", 4, () -> resetCount)
        .readWrite(HbmRegisters.SCRATCH, "SCRATCH", 4, () -> scratch, value -> scratch = value)
        .readOnly(HbmRegisters.FAULT_ADDR, "FAULT_ADDR", 8, faults::address)
        .readWrite(HbmRegisters.FAULT, "FAULT", 4, faults::fault, faults::write);
    channels.forEach(channel -> channel.declare(registers));
  }

  @Override
  public long read(int bar, long offset, AccessWidth width) {
    channels.forEach(Channel::catchUp);
    return registers.read(offset, width);
  }

  @Override
  public void write(int bar, long offset, AccessWidth width, long value) {
    Channel rung = width == AccessWidth.DWORD ? rung(offset) : null;
    if (rung != null) {
      // What drivers do most: it concerns no other channel, and is not looked up.
      rung.catchUp();
      rung.doorbell(value);
      return;
    }
    channels.forEach(Channel::catchUp);
    registers.write(offset, width, value);
  }

  /** The channel whose doorbell is at an offset, or null. */
  private Channel rung(long offset) {
    long at = offset - HbmRegisters.DOORBELLS;
    long index = at / HbmRegisters.DOORBELL_STRIDE;
    return at >= 0 && at % HbmRegisters.DOORBELL_STRIDE == 0 && index < channels.size()
        ? channels.get((int) index)
        : null;
  }

  /** Every kind clears the registers; only function-level resets count in RESET_COUNT. */
  @Override
  public void reset(ResetKind kind) {
    channels.forEach(Channel::reset);
    faults.clear();
    scratch = 0;
    if (kind == ResetKind.FUNCTION_LEVEL) {
      resetCount++;
    }
    if (config.scrubOnReset()) {
      host.zero(HbmRegisters.MEMORY_BAR);
    }
  }

  @Override
  public int stateVersion() {
    return STATE_VERSION;
  }

  @Override
  public void pause() {
    channels.forEach(Channel::pause);
  }

  @Override
  public void resume() {
    channels.forEach(Channel::resume);
  }

  @Override
  public void save(StateWriter state) {
    state.putInt(resetCount).putInt(scratch);
    faults.save(state);
    state.putInt(channels.size());
    channels.forEach(channel -> channel.save(state));
  }

  @Override
  public void restore(StateReader state) throws InvalidStateException {
    long savedResetCount = state.getInt();
    long savedScratch = state.getInt();
    List<Runnable> changes = new ArrayList<>();
    changes.add(faults.judge(state, channels.size()));
    if (state.getInt() != channels.size()) {
      throw new InvalidStateException("Not the state of %d channels".formatted(channels.size()));
    }
    for (Channel channel : channels) {
      changes.add(channel.judge(state));
    }
    state.end();
    changes.forEach(Runnable::run);
    resetCount = savedResetCount;
    scratch = savedScratch;
  }

  private long caps() {
    return config.channels() | HbmRegisters.LARGEST_RING_LOG2 << HbmRegisters.CAPS_RING_SHIFT;
  }

  private long status() {
    return HbmRegisters.STATUS_READY
        | (channels.stream().anyMatch(Channel::running) ? HbmRegisters.STATUS_RUNNING : 0)
        | (faults.latched() ? HbmRegisters.STATUS_FAULT : 0);
  }
}
