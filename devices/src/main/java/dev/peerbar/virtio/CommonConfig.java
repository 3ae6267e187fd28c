package dev.peerbar.virtio;

import dev.peerbar.endpoint.RegisterMap;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import java.util.function.ObjLongConsumer;
import java.util.function.ToLongFunction;

/**
 * The common configuration: features, status, and the queue that is selected (Virtual I/O Device
 * 1.3, 4.1.4.3). For the function's thread.
 *
 * <p>What was decided where the specification leaves it open, of what no driver does:
 *
 * <ul>
 *   <li>Bits of the status are set and not cleared, but by a reset. FEATURES_OK stays only with
 *       features that can be served, DRIVER_OK only after FEATURES_OK.
 *   <li>Features stay as they are once FEATURES_OK is set, and the fields of a queue but its vector
 *       once it is enabled. Bits of features that were not offered are kept, and refused with
 *       FEATURES_OK; those beyond 63 are not kept.
 *   <li>Fields of a queue that is not there read zero, and cannot be written.
 * </ul>
 */
final class CommonConfig {

  /** Told of what the status is written for. */
  interface Owner {

    /** Status was written with 0. Before this returns, the device has been reset. */
    void resetDevice();

    /** DRIVER_OK is set, for the first time since a reset. */
    void driverReady(long features);

    /** A queue was reset. */
    void queueReset(int index);
  }

  private final long offered;
  private final List<DeviceQueue> queues;
  private final Interrupter interrupter;
  private final Owner owner;

  private long deviceFeatureSelect;
  private long driverFeatureSelect;
  private long driverFeatures;
  private int status;
  private int queueSelect;
  private int generation;

  /** Whether the configuration has changed since it was read last. */
  private boolean changed;

  /** Whether the driver is to be told of a change once it is ready. */
  private boolean untold;

  CommonConfig(long offered, List<DeviceQueue> queues, Interrupter interrupter, Owner owner) {
    this.offered = offered;
    this.queues = queues;
    this.interrupter = interrupter;
    this.owner = owner;
  }

  void declare(RegisterMap registers) {
    readWrite(
        registers,
        VirtioPci.DEVICE_FEATURE_SELECT,
        "device_feature_select",
        4,
        () -> deviceFeatureSelect,
        value -> deviceFeatureSelect = value);
    registers.readOnly(
        VirtioPci.DEVICE_FEATURE, "device_feature", 4, () -> window(offered, deviceFeatureSelect));
    readWrite(
        registers,
        VirtioPci.DRIVER_FEATURE_SELECT,
        "driver_feature_select",
        4,
        () -> driverFeatureSelect,
        value -> driverFeatureSelect = value);
    readWrite(
        registers,
        VirtioPci.DRIVER_FEATURE,
        "driver_feature",
        4,
        () -> window(driverFeatures, driverFeatureSelect),
        this::writeDriverFeature);
    readWrite(
        registers,
        VirtioPci.CONFIG_MSIX_VECTOR,
        "config_msix_vector",
        2,
        interrupter::configurationVector,
        interrupter::configurationVector);
    registers.readOnly(VirtioPci.NUM_QUEUES, "num_queues", 2, queues::size);
    readWrite(
        registers, VirtioPci.DEVICE_STATUS, "device_status", 1, () -> status, this::writeStatus);
    registers.readOnly(VirtioPci.CONFIG_GENERATION, "config_generation", 1, () -> generation);
    readWrite(
        registers,
        VirtioPci.QUEUE_SELECT,
        "queue_select",
        2,
        () -> queueSelect,
        value -> queueSelect = (int) value);
    declareQueue(registers);
  }

  private void declareQueue(RegisterMap registers) {
    ofQueue(registers, VirtioPci.QUEUE_SIZE, "queue_size", 2, DeviceQueue::size, DeviceQueue::size);
    ofQueue(
        registers,
        VirtioPci.QUEUE_MSIX_VECTOR,
        "queue_msix_vector",
        2,
        DeviceQueue::vector,
        DeviceQueue::vector);
    ofQueue(
        registers,
        VirtioPci.QUEUE_ENABLE,
        "queue_enable",
        2,
        queue -> queue.enabled() ? 1 : 0,
        this::writeEnable);
    registers.readOnly(
        VirtioPci.QUEUE_NOTIFY_OFF,
        "queue_notify_off",
        2,
        () -> queueSelect < queues.size() ? queueSelect : 0);
    ofQueue(
        registers,
        VirtioPci.QUEUE_DESC,
        "queue_desc",
        8,
        DeviceQueue::descriptors,
        DeviceQueue::descriptors);
    ofQueue(
        registers,
        VirtioPci.QUEUE_DRIVER,
        "queue_driver",
        8,
        DeviceQueue::driverArea,
        DeviceQueue::driverArea);
    ofQueue(
        registers,
        VirtioPci.QUEUE_DEVICE,
        "queue_device",
        8,
        DeviceQueue::deviceArea,
        DeviceQueue::deviceArea);
    registers.readOnly(VirtioPci.QUEUE_NOTIFY_DATA, "queue_notify_data", 2, () -> 0);
    // A queue has been reset before the write of 1 is over.
    ofQueue(registers, VirtioPci.QUEUE_RESET, "queue_reset", 2, _ -> 0, this::writeQueueReset);
    registers.readOnly(VirtioPci.ADMIN_QUEUE_INDEX, "admin_queue_index", 2, () -> 0);
    registers.readOnly(VirtioPci.ADMIN_QUEUE_NUM, "admin_queue_num", 2, () -> 0);
  }

  private static void readWrite(
      RegisterMap registers,
      long offset,
      String name,
      int bytes,
      LongSupplier reader,
      LongConsumer writer) {
    registers.readWrite(VirtioPci.COMMON + offset, name, bytes, reader, writer);
  }

  /** A field of the queue that is selected. */
  private void ofQueue(
      RegisterMap registers,
      long offset,
      String name,
      int bytes,
      ToLongFunction<DeviceQueue> reader,
      ObjLongConsumer<DeviceQueue> writer) {
    readWrite(
        registers,
        offset,
        name,
        bytes,
        () -> queueSelect < queues.size() ? reader.applyAsLong(queues.get(queueSelect)) : 0,
        value -> {
          if (queueSelect < queues.size()) {
            writer.accept(queues.get(queueSelect), value);
          }
        });
  }

  /** Bits 0 to 31 of a feature word, 32 to 63, or zeros beyond. */
  private static long window(long features, long select) {
    return select > 1 ? 0 : features >>> (int) select * Integer.SIZE & 0xffff_ffffL;
  }

  private void writeDriverFeature(long value) {
    if (driverFeatureSelect > 1 || has(VirtioStatus.FEATURES_OK)) {
      return;
    }
    int shift = (int) driverFeatureSelect * Integer.SIZE;
    driverFeatures = driverFeatures & ~(0xffff_ffffL << shift) | value << shift;
  }

  private boolean has(int statusBit) {
    return (status & statusBit) != 0;
  }

  private boolean hasNegotiated(long feature) {
    return has(VirtioStatus.FEATURES_OK) && (driverFeatures & feature) != 0;
  }

  private void writeStatus(long value) {
    if (value == 0) {
      owner.resetDevice();
      return;
    }
    boolean wasReady = has(VirtioStatus.DRIVER_OK);
    int wanted = (int) value & VirtioStatus.DRIVER_BITS;
    if (!acceptable()) {
      wanted &= ~VirtioStatus.FEATURES_OK;
    }
    if (((status | wanted) & VirtioStatus.FEATURES_OK) == 0) {
      wanted &= ~VirtioStatus.DRIVER_OK;
    }
    status |= wanted;
    if (has(VirtioStatus.DRIVER_OK) && !wasReady) {
      ready();
    }
  }

  /** Whether the driver's features can be served (2.2.2). */
  private boolean acceptable() {
    return (driverFeatures & ~offered) == 0
        && (driverFeatures & VirtioFeature.REQUIRED) == VirtioFeature.REQUIRED;
  }

  private void ready() {
    owner.driverReady(driverFeatures);
    queues.forEach(this::start);
    if (untold) {
      untold = false;
      interrupter.configurationChanged();
    }
  }

  private void start(DeviceQueue queue) {
    queue.start(driverFeatures);
    queue.look();
  }

  private void writeEnable(DeviceQueue queue, long value) {
    if (value != 1) {
      return;
    }
    queue.enable();
    if (has(VirtioStatus.DRIVER_OK)) {
      start(queue);
    }
  }

  private void writeQueueReset(DeviceQueue queue, long value) {
    if (value == 1 && hasNegotiated(VirtioFeature.RING_RESET)) {
      queue.reset();
      owner.queueReset(queue.index());
    }
  }

  /** The device cannot go on without a reset (2.1.2). */
  void needsReset() {
    if (!has(VirtioStatus.DEVICE_NEEDS_RESET)) {
      status |= VirtioStatus.DEVICE_NEEDS_RESET;
      tell();
    }
  }

  /** The device's configuration has changed. */
  void configurationChanged() {
    changed = true;
    tell();
  }

  /** A driver that is not ready is told later, and not at all if there is none (3.1.1). */
  private void tell() {
    if (has(VirtioStatus.DRIVER_OK)) {
      interrupter.configurationChanged();
    } else {
      untold = true;
    }
  }

  /**
   * The device's configuration is about to be read. The generation changes then and not with each
   * change, or 256 changes would be none (4.1.4.3.1).
   */
  void configurationRead() {
    if (changed) {
      changed = false;
      generation = generation + 1 & 0xff;
    }
  }

  /** All but the queues, and the generation, which has only to differ. */
  void reset() {
    deviceFeatureSelect = 0;
    driverFeatureSelect = 0;
    driverFeatures = 0;
    status = 0;
    queueSelect = 0;
    untold = false;
  }
}
