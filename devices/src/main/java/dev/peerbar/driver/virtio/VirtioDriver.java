package dev.peerbar.driver.virtio;

import dev.peerbar.driver.Config;
import dev.peerbar.driver.Device;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.FunctionDriver;
import dev.peerbar.driver.Interrupt;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ConfigLayout.VendorSpecific;
import dev.peerbar.virtio.SplitRing;
import dev.peerbar.virtio.VirtioFeature;
import dev.peerbar.virtio.VirtioPci;
import dev.peerbar.virtio.VirtioStatus;
import dev.peerbar.virtio.VirtioStructure;
import java.io.IOException;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Drives a virtio endpoint, whatever device is behind: finds its structures, negotiates, sets up
 * queues (Virtual I/O Device 1.3, 3.1 and 4.1). Vector 0 is the configuration's, vector n + 1 that
 * of queue n. For one thread at a time.
 */
public final class VirtioDriver extends FunctionDriver {
  /** How long a reset or a request may take on a busy machine. */
  public static final Duration LIMIT = Duration.ofSeconds(60);

  /** As far as a part of a queue has to be aligned, and a cache line. */
  private static final long ALIGNMENT = 64;

  private final Map<VirtioStructure, Place> places;
  private final int notifyMultiplier;
  private final int windowAt;
  private long features;

  /**
   * Where a structure is.
   *
   * @param offset in the BAR, in bytes
   * @param length in bytes
   */
  public record Place(int bar, long offset, long length) {}

  /**
   * Does nothing to the function.
   *
   * @param vectors the configuration's and the queues'; none for a driver that uses the pin, or
   *     never waits for one
   */
  public VirtioDriver(Device device, List<Interrupt> vectors) throws IOException {
    this(device, find(device), vectors);
  }

  private VirtioDriver(
      Device device, Map<VirtioStructure, Integer> capabilities, List<Interrupt> vectors)
      throws IOException {
    super(device, place(device, capabilities.get(VirtioStructure.COMMON)).bar(), vectors);
    places = new EnumMap<>(VirtioStructure.class);
    for (Map.Entry<VirtioStructure, Integer> capability : capabilities.entrySet()) {
      places.put(capability.getKey(), place(device, capability.getValue()));
    }
    int notify = capabilities.get(VirtioStructure.NOTIFY);
    notifyMultiplier =
        (int) device.readConfig(notify + VirtioPci.CAP_NOTIFY_OFF_MULTIPLIER, AccessWidth.DWORD);
    windowAt = capabilities.getOrDefault(VirtioStructure.PCI, 0);
  }

  /** Takes over a function: {@link #setUp}, and a reset of the device. */
  public static VirtioDriver of(Device device) throws IOException {
    VirtioDriver driver = new VirtioDriver(device, List.of());
    driver.setUp();
    driver.resetDevice();
    return driver;
  }

  /** The first capability of each kind is the one to use (4.1.4). */
  private static Map<VirtioStructure, Integer> find(Device device) throws IOException {
    Map<VirtioStructure, Integer> found = new EnumMap<>(VirtioStructure.class);
    for (int at : new Config(device).findAll(VendorSpecific.ID)) {
      int type = (int) device.readConfig(at + VirtioPci.CAP_CFG_TYPE, AccessWidth.BYTE);
      for (VirtioStructure structure : VirtioStructure.values()) {
        if (structure.code() == type) {
          found.putIfAbsent(structure, at);
        }
      }
    }
    for (VirtioStructure needed :
        List.of(VirtioStructure.COMMON, VirtioStructure.NOTIFY, VirtioStructure.ISR)) {
      if (!found.containsKey(needed)) {
        throw new IOException("the function has no virtio structure " + needed);
      }
    }
    return found;
  }

  private static Place place(Device device, int at) throws IOException {
    return new Place(
        (int) device.readConfig(at + VirtioPci.CAP_BAR, AccessWidth.BYTE),
        device.readConfig(at + VirtioPci.CAP_OFFSET, AccessWidth.DWORD),
        device.readConfig(at + VirtioPci.CAP_LENGTH, AccessWidth.DWORD));
  }

  @Override
  protected int wantedVectors() throws IOException {
    return Math.min(queues() + 1, config().msixVectors());
  }

  /**
   * Where a structure is.
   *
   * @throws IOException if the function does not have it
   */
  public Place place(VirtioStructure structure) throws IOException {
    Place place = places.get(structure);
    if (place == null) {
      throw new IOException("the function has no virtio structure " + structure);
    }
    return place;
  }

  /** Where the window in config space is, or 0 if there is none. */
  public int windowAt() {
    return windowAt;
  }

  // The common configuration.

  /** Reads a field of the common configuration. */
  public long common(int offset, AccessWidth width) throws IOException {
    return registers().load(place(VirtioStructure.COMMON).offset() + offset, width);
  }

  /** Writes a field of the common configuration. */
  public void common(int offset, AccessWidth width, long value) throws IOException {
    registers().store(place(VirtioStructure.COMMON).offset() + offset, width, value);
  }

  private int word(int offset) throws IOException {
    return (int) common(offset, AccessWidth.WORD);
  }

  private void word(int offset, int value) throws IOException {
    common(offset, AccessWidth.WORD, value);
  }

  /** How many queues there are. */
  public int queues() throws IOException {
    return word(VirtioPci.NUM_QUEUES);
  }

  public int status() throws IOException {
    return (int) common(VirtioPci.DEVICE_STATUS, AccessWidth.BYTE);
  }

  /** Sets bits of the status, beside those that are set. */
  public void status(int bits) throws IOException {
    common(VirtioPci.DEVICE_STATUS, AccessWidth.BYTE, status() | bits);
  }

  /**
   * Resets the device and waits for that.
   *
   * @throws IOException if it takes too long
   */
  public void resetDevice() throws IOException {
    common(VirtioPci.DEVICE_STATUS, AccessWidth.BYTE, 0);
    long end = System.nanoTime() + LIMIT.toNanos();
    while (status() != 0) {
      if (System.nanoTime() >= end) {
        throw new IOException("the device is being reset after " + LIMIT);
      }
      device().relax();
    }
    features = 0;
  }

  /** What the device offers. */
  public long offered() throws IOException {
    common(VirtioPci.DEVICE_FEATURE_SELECT, AccessWidth.DWORD, 0);
    long low = common(VirtioPci.DEVICE_FEATURE, AccessWidth.DWORD);
    common(VirtioPci.DEVICE_FEATURE_SELECT, AccessWidth.DWORD, 1);
    return low | common(VirtioPci.DEVICE_FEATURE, AccessWidth.DWORD) << Integer.SIZE;
  }

  /** Says what the driver wants, whatever is offered. */
  public void wants(long wanted) throws IOException {
    common(VirtioPci.DRIVER_FEATURE_SELECT, AccessWidth.DWORD, 0);
    common(VirtioPci.DRIVER_FEATURE, AccessWidth.DWORD, wanted & 0xffff_ffffL);
    common(VirtioPci.DRIVER_FEATURE_SELECT, AccessWidth.DWORD, 1);
    common(VirtioPci.DRIVER_FEATURE, AccessWidth.DWORD, wanted >>> Integer.SIZE);
  }

  /**
   * From a reset up to FEATURES_OK (3.1.1), with vector 0 for the configuration.
   *
   * @param wanted of which those are taken that are offered, beside those that have to be
   * @return what was agreed on
   * @throws IOException if the device does not agree
   */
  public long negotiate(long wanted) throws IOException {
    status(VirtioStatus.ACKNOWLEDGE);
    status(VirtioStatus.DRIVER);
    long needed = VirtioFeature.VERSION_1 | VirtioFeature.ACCESS_PLATFORM;
    long agreed = offered() & (wanted | needed);
    wants(agreed);
    status(VirtioStatus.FEATURES_OK);
    if ((status() & VirtioStatus.FEATURES_OK) == 0) {
      throw new IOException("the device does not agree to features 0x%x".formatted(agreed));
    }
    features = agreed;
    if (!vectors().isEmpty()) {
      word(VirtioPci.CONFIG_MSIX_VECTOR, 0);
    }
    return agreed;
  }

  /** What was agreed on. */
  public long features() {
    return features;
  }

  /** Sets DRIVER_OK: the device serves the queues from now on. */
  public void ready() throws IOException {
    status(VirtioStatus.DRIVER_OK);
  }

  // Queues.

  /** Has the fields of a queue mean another one. */
  public void select(int queue) throws IOException {
    word(VirtioPci.QUEUE_SELECT, queue);
  }

  /**
   * The most descriptors that a queue can have, unless it has been made smaller; 0 for no queue.
   */
  public int queueSize(int queue) throws IOException {
    select(queue);
    return word(VirtioPci.QUEUE_SIZE);
  }

  /**
   * Enables a queue, with rings in memory of its own, and vector n + 1 if there is one.
   *
   * @param size descriptors, a power of 2, at most {@link #queueSize}
   */
  public Virtqueue queue(int index, int size) throws IOException {
    long table = SplitRing.descriptorBytes(size);
    long available = align(SplitRing.availableBytes(size));
    DmaRange memory = device().allocate(align(table) + available + SplitRing.usedBytes(size));
    return queue(
        index,
        memory.slice(0, table),
        memory.slice(align(table), available),
        memory.slice(align(table) + available, SplitRing.usedBytes(size)));
  }

  private static long align(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** The same with rings at places of the caller's choice, which are cleared. */
  public Virtqueue queue(int index, DmaRange table, DmaRange available, DmaRange used)
      throws IOException {
    table.clear();
    available.clear();
    used.clear();
    int size = Math.toIntExact(table.length() / SplitRing.DESCRIPTOR_BYTES);
    select(index);
    word(VirtioPci.QUEUE_SIZE, size);
    address(VirtioPci.QUEUE_DESC, table.iova());
    address(VirtioPci.QUEUE_DRIVER, available.iova());
    address(VirtioPci.QUEUE_DEVICE, used.iova());
    if (index + 1 < vectors().size()) {
      word(VirtioPci.QUEUE_MSIX_VECTOR, index + 1);
    }
    Virtqueue queue =
        new Virtqueue(this, index, notifyOffset(), size, table, available, used, features);
    word(VirtioPci.QUEUE_ENABLE, 1);
    return queue;
  }

  /** 64 bits are two times 32 (4.1.3.1). */
  private void address(int offset, long iova) throws IOException {
    common(offset, AccessWidth.DWORD, iova & 0xffff_ffffL);
    common(offset + Integer.BYTES, AccessWidth.DWORD, iova >>> Integer.SIZE);
  }

  /** Of the queue that is selected, in the BAR. */
  private long notifyOffset() throws IOException {
    return place(VirtioStructure.NOTIFY).offset()
        + (long) word(VirtioPci.QUEUE_NOTIFY_OFF) * notifyMultiplier;
  }

  /**
   * Resets one queue, which is to be set up again (2.6.1).
   *
   * @throws IOException if it takes too long
   */
  public void resetQueue(int index) throws IOException {
    select(index);
    word(VirtioPci.QUEUE_RESET, 1);
    long end = System.nanoTime() + LIMIT.toNanos();
    while (word(VirtioPci.QUEUE_RESET) != 0) {
      if (System.nanoTime() >= end) {
        throw new IOException("queue %d is being reset after %s".formatted(index, LIMIT));
      }
      device().relax();
    }
  }

  /** The vector of a queue, if MSI-X has enough. */
  public OptionalInt vector(int queue) {
    return queue + 1 < vectors().size() ? OptionalInt.of(queue + 1) : OptionalInt.empty();
  }

  void notify(long offset, int queue) throws IOException {
    device().bar(place(VirtioStructure.NOTIFY).bar()).store(offset, AccessWidth.WORD, queue);
  }

  // The other structures.

  /** Reads the ISR status, which clears it. */
  public int isr() throws IOException {
    Place place = place(VirtioStructure.ISR);
    return (int) device().bar(place.bar()).load(place.offset(), AccessWidth.BYTE);
  }

  /** Reads a field of the device's configuration. */
  public long configuration(int offset, AccessWidth width) throws IOException {
    Place place = place(VirtioStructure.DEVICE);
    return device().bar(place.bar()).load(place.offset() + offset, width);
  }

  /** Writes a field of the device's configuration. */
  public void configuration(int offset, AccessWidth width, long value) throws IOException {
    Place place = place(VirtioStructure.DEVICE);
    device().bar(place.bar()).store(place.offset() + offset, width, value);
  }

  /** All of the device's configuration, as it was at one time (2.5.1). */
  public byte[] configuration() throws IOException {
    Place place = place(VirtioStructure.DEVICE);
    while (true) {
      long before = common(VirtioPci.CONFIG_GENERATION, AccessWidth.BYTE);
      byte[] bytes =
          device().bar(place.bar()).read(place.offset(), Math.toIntExact(place.length()));
      if (common(VirtioPci.CONFIG_GENERATION, AccessWidth.BYTE) == before) {
        return bytes;
      }
    }
  }
}
