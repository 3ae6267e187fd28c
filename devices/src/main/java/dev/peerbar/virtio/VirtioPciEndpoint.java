package dev.peerbar.virtio;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.RegisterMap;
import dev.peerbar.endpoint.Screenshots;
import dev.peerbar.endpoint.Timer;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.ConfigRegister;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.pci.VendorCapability;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A virtio device as a PCIe function (Virtual I/O Device 1.3, 4.1): not transitional, with split
 * virtqueues.
 *
 * <p>BAR 0 (64-bit) has all structures, BAR 2 the MSI-X ones. There is a vector for each queue and
 * one for the configuration; a driver maps them as it likes, or uses the pin. A queue's
 * notification is a register of its own.
 *
 * <p>A reset by the status register, or of one queue, is over when the write is: what was in
 * progress has been ended by then, and touches no memory any more.
 */
public final class VirtioPciEndpoint implements Endpoint {
  private static final Logger LOG = LoggerFactory.getLogger(VirtioPciEndpoint.class);

  /** A guest decides how often; it does not decide the size of the log. */
  private static final int MOST_LOGGED = 16;

  /** What the page of notifications has room for. */
  private static final int MOST_QUEUES = VirtioPci.REGION_BYTES / VirtioPci.NOTIFY_MULTIPLIER;

  private static final int MSIX_ENTRY_BYTES = 16;
  private static final int PAGE = 4096;
  private static final int INTA = 1;
  private static final int CLASS_BITS = 24;

  private final VirtioDevice device;
  private final VirtioIdentity identity;
  private final PciFunction function;
  private final PciConfigWindow window = new PciConfigWindow(new Window());
  private final RegisterMap registers = new RegisterMap(VirtioPci.REGION_BYTES);
  private final List<Timer> timers = new ArrayList<>();

  private List<DeviceQueue> queues = List.of();
  private Interrupter interrupter;
  private CommonConfig common;
  private int logged;

  /**
   * @throws IllegalArgumentException with a sentence if the device's identity is not possible
   */
  public VirtioPciEndpoint(VirtioDevice device) {
    this.device = device;
    identity = device.identity();
    check(identity);
    int count = identity.queues().size();
    int vectors = count + 1;
    // As long as the table, and at least half a page; the pending bits are behind.
    int table = Math.max(PAGE / 2, Integer.highestOneBit(vectors * MSIX_ENTRY_BYTES - 1) * 2);
    var declaration =
        PciFunction.builder()
            .identity(VirtioPci.VENDOR_ID, VirtioPci.DEVICE_ID + identity.deviceId())
            .subsystem(VirtioPci.VENDOR_ID, VirtioPci.DEVICE_ID + identity.deviceId())
            .classCode(identity.classCode())
            .revision(VirtioPci.REVISION)
            .interruptPin(INTA)
            .registers(
                new Bar.Registers(VirtioPci.BAR, VirtioPci.BAR_BYTES)
                    .type(Bar.Type.MEMORY_64)
                    .events(notifications(count)))
            .msix(VirtioPci.MSIX_BAR, 2L * table, vectors, 0, table)
            .vendorCapability(
                structure(VirtioStructure.COMMON, VirtioPci.COMMON, VirtioPci.COMMON_BYTES))
            .vendorCapability(structure(VirtioStructure.ISR, VirtioPci.ISR, VirtioPci.ISR_BYTES))
            .vendorCapability(
                capability(
                    VirtioPci.CAP_LONGER_BYTES,
                    VirtioStructure.NOTIFY,
                    VirtioPci.NOTIFY,
                    count * VirtioPci.NOTIFY_MULTIPLIER,
                    ConfigRegister.at(VirtioPci.CAP_NOTIFY_OFF_MULTIPLIER, 4)
                        .initial(VirtioPci.NOTIFY_MULTIPLIER)));
    if (identity.configBytes() > 0) {
      declaration.vendorCapability(
          structure(VirtioStructure.DEVICE, VirtioPci.DEVICE, identity.configBytes()));
    }
    function = declaration.vendorCapability(window.capability()).build();
    window.in(function, function.vendorCapabilities().getLast());
  }

  private static void check(VirtioIdentity identity) {
    require(
        identity.deviceId() > 0 && identity.deviceId() <= VirtioPci.LAST_TYPE,
        "A device type over PCI is 1 to 63, not %d.",
        identity.deviceId());
    require(
        identity.classCode() >>> CLASS_BITS == 0,
        "A class code has 24 bits, 0x%x has more.",
        identity.classCode());
    require(
        (identity.features() & ~VirtioFeature.DEVICE) == 0,
        "Feature bits 24 to 49 are not a device's own: 0x%x.",
        identity.features());
    require(
        identity.configBytes() >= 0 && identity.configBytes() <= VirtioPci.REGION_BYTES,
        "A configuration has 0 to 4096 bytes, not %d.",
        identity.configBytes());
    List<VirtioIdentity.Queue> queues = identity.queues();
    require(
        !queues.isEmpty() && queues.size() <= MOST_QUEUES,
        "A device has 1 to 1024 queues, not %d.",
        queues.size());
    Set<String> names = new HashSet<>();
    for (VirtioIdentity.Queue queue : queues) {
      require(names.add(queue.name()), "Two queues are called %s.", queue.name());
      require(
          queue.size() > 0 && queue.size() <= SplitRing.MOST && Integer.bitCount(queue.size()) == 1,
          "The size of a queue is a power of 2 up to 32768, not %d.",
          queue.size());
    }
  }

  private static void require(boolean condition, String sentence, Object argument) {
    if (!condition) {
      throw new IllegalArgumentException(sentence.formatted(argument));
    }
  }

  /** A driver notifies by a write of the queue's index, in 16 bits (4.1.5.2). */
  private static List<Bar.IoEventFd> notifications(int queues) {
    return IntStream.range(0, queues)
        .mapToObj(index ->
            new Bar.IoEventFd(
                VirtioPci.NOTIFY + (long) index * VirtioPci.NOTIFY_MULTIPLIER,
                AccessWidth.WORD,
                index))
        .toList();
  }

  private static VendorCapability structure(VirtioStructure structure, int offset, int length) {
    return capability(VirtioPci.CAP_BYTES, structure, offset, length);
  }

  private static VendorCapability capability(
      int bytes, VirtioStructure structure, int offset, int length, ConfigRegister... behind) {
    List<ConfigRegister> fields = new ArrayList<>(List.of(behind));
    fields.add(ConfigRegister.at(VirtioPci.CAP_CFG_TYPE, 1).initial(structure.code()));
    fields.add(ConfigRegister.at(VirtioPci.CAP_BAR, 1).initial(VirtioPci.BAR));
    fields.add(ConfigRegister.at(VirtioPci.CAP_OFFSET, 4).initial(offset));
    fields.add(ConfigRegister.at(VirtioPci.CAP_LENGTH, 4).initial(length));
    return VendorCapability.standard(bytes, fields.toArray(ConfigRegister[]::new));
  }

  @Override
  public PciFunction function() {
    return function;
  }

  @Override
  public void start(Host host) {
    interrupter = new Interrupter(function, host.interrupts());
    Map<String, Engine> engines = new HashMap<>();
    queues =
        IntStream.range(0, identity.queues().size())
            .mapToObj(index -> {
              VirtioIdentity.Queue declared = identity.queues().get(index);
              Engine engine = engines.computeIfAbsent(declared.engine(), host::engine);
              return new DeviceQueue(
                  index, declared, device, engine, interrupter, this::needsReset);
            })
            .toList();
    common =
        new CommonConfig(
            identity.features() | VirtioFeature.TRANSPORT, queues, interrupter, new Status());
    common.declare(registers);
    device.start(new Given(host));
  }

  private void needsReset(String why) {
    if (logged < MOST_LOGGED) {
      logged++;
      LOG.warn(
          "virtio device {}: {} It needs a reset{}",
          identity.deviceId(),
          why,
          logged == MOST_LOGGED ? " (the last of these to be logged)" : "");
    }
    common.needsReset();
  }

  // Accesses of BAR 0.

  @Override
  public long read(int bar, long offset, AccessWidth width) {
    return switch ((int) offset & -VirtioPci.REGION_BYTES) {
      case VirtioPci.COMMON -> registers.read(offset, width);
      case VirtioPci.ISR -> offset == VirtioPci.ISR ? interrupter.readIsr() : 0;
      case VirtioPci.DEVICE -> readConfig((int) offset - VirtioPci.DEVICE, width.bytes());
      default -> 0;
    };
  }

  private long readConfig(int offset, int bytes) {
    if (offset > identity.configBytes() - bytes) {
      return 0;
    }
    common.configurationRead();
    return device.readConfig(offset, bytes);
  }

  @Override
  public void write(int bar, long offset, AccessWidth width, long value) {
    switch ((int) offset & -VirtioPci.REGION_BYTES) {
      case VirtioPci.COMMON -> registers.write(offset, width, value);
      case VirtioPci.DEVICE -> writeConfig((int) offset - VirtioPci.DEVICE, width.bytes(), value);
      case VirtioPci.NOTIFY -> notified((int) offset - VirtioPci.NOTIFY);
      default -> {}
    }
  }

  private void writeConfig(int offset, int bytes, long value) {
    if (offset <= identity.configBytes() - bytes) {
      device.writeConfig(offset, bytes, value);
    }
  }

  /** The address says which queue: what is written there is the same once more. */
  private void notified(int offset) {
    int index = offset / VirtioPci.NOTIFY_MULTIPLIER;
    if (offset % VirtioPci.NOTIFY_MULTIPLIER == 0
        && index < queues.size()
        && function.busMasterEnabled()) {
      queues.get(index).look();
    }
  }

  /** What was notified of while the bus could not be mastered is found now. */
  @Override
  public void busMasterChanged(boolean enabled) {
    if (enabled) {
      queues.forEach(DeviceQueue::look);
    }
  }

  // Resets.

  @Override
  public Optional<Screenshots> screenshots() {
    return device.screenshots();
  }

  @Override
  public void reset(ResetKind kind) {
    window.reset();
    resetDevice();
  }

  private void resetDevice() {
    queues.forEach(DeviceQueue::reset);
    timers.forEach(Timer::cancel);
    common.reset();
    interrupter.reset();
    device.reset();
  }

  /** What the status register asks for. */
  private final class Status implements CommonConfig.Owner {
    @Override
    public void resetDevice() {
      VirtioPciEndpoint.this.resetDevice();
    }

    @Override
    public void driverReady(long features) {
      device.driverReady(features);
    }

    @Override
    public void queueReset(int index) {
      device.queueReset(index);
    }
  }

  /** BAR 0 through config space. */
  private final class Window implements PciConfigWindow.Target {
    @Override
    public long read(long offset, AccessWidth width) {
      return VirtioPciEndpoint.this.read(VirtioPci.BAR, offset, width);
    }

    @Override
    public void write(long offset, AccessWidth width, long value) {
      VirtioPciEndpoint.this.write(VirtioPci.BAR, offset, width, value);
    }
  }

  /** What the device is given. */
  private final class Given implements VirtioHost {
    private final Host host;

    Given(Host host) {
      this.host = host;
    }

    @Override
    public void configurationChanged() {
      common.configurationChanged();
    }

    @Override
    public Engine engine(int queue) {
      return queues.get(queue).engine();
    }

    @Override
    public Timer timer(Runnable action, Consumer<Throwable> failed) {
      Timer timer = host.timer(action, failed);
      timers.add(timer);
      return timer;
    }
  }
}
