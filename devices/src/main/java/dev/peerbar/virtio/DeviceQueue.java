package dev.peerbar.virtio;

import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.RepeatedWork;
import dev.peerbar.engine.Moves;
import java.util.function.Consumer;

/**
 * The registers of a queue, and when it runs (Virtual I/O Device 1.3, 4.1.4.3). For the function's
 * thread, but for what its engine asks as {@link SplitQueue.Owner}.
 */
final class DeviceQueue implements SplitQueue.Owner {
  private static final int TABLE_ALIGNMENT = 16;
  private static final int AVAILABLE_ALIGNMENT = 2;
  private static final int USED_ALIGNMENT = 4;

  private final int index;
  private final int most;
  private final VirtioDevice device;
  private final QueueEngine engine;
  private final Interrupter interrupter;
  private final Consumer<String> broken;
  private final DescriptorReader reader;
  private final RingMemory memory = new RingMemory();

  private int size;
  private volatile int vector;
  private long descriptors;
  private long driverArea;
  private long deviceArea;
  private boolean enabled;

  /** Null unless it has been started, and not stopped since. */
  private SplitQueue ring;

  private RepeatedWork work;

  /**
   * @param broken told why the queue has stopped
   */
  DeviceQueue(
      int index,
      VirtioIdentity.Queue declared,
      VirtioDevice device,
      Engine engine,
      Interrupter interrupter,
      Consumer<String> broken) {
    this.index = index;
    this.most = declared.size();
    this.device = device;
    this.engine = new QueueEngine(engine);
    this.interrupter = interrupter;
    this.broken = broken;
    reader = new DescriptorReader(most);
    reset();
  }

  /** The engine, for whoever has work in turn with the requests. */
  Engine engine() {
    return engine;
  }

  int index() {
    return index;
  }

  int size() {
    return size;
  }

  /** A driver may make it smaller, as long as it is not enabled. */
  void size(long value) {
    if (!enabled && value > 0 && value <= most && Long.bitCount(value) == 1) {
      size = (int) value;
    }
  }

  @Override
  public int vector() {
    return vector;
  }

  void vector(long value) {
    vector = interrupter.mapped(value);
  }

  long descriptors() {
    return descriptors;
  }

  void descriptors(long iova) {
    if (!enabled) {
      descriptors = iova;
    }
  }

  long driverArea() {
    return driverArea;
  }

  void driverArea(long iova) {
    if (!enabled) {
      driverArea = iova;
    }
  }

  long deviceArea() {
    return deviceArea;
  }

  void deviceArea(long iova) {
    if (!enabled) {
      deviceArea = iova;
    }
  }

  boolean enabled() {
    return enabled;
  }

  /** Queue_enable was written with 1: its fields stay as they are. */
  void enable() {
    enabled = true;
  }

  /**
   * Begins to serve it, if it is enabled and not served already.
   *
   * @param features that were negotiated
   */
  void start(long features) {
    if (!enabled || ring != null) {
      return;
    }
    if (misplaced(descriptors, TABLE_ALIGNMENT, SplitRing.descriptorBytes(size))
        || misplaced(driverArea, AVAILABLE_ALIGNMENT, SplitRing.availableBytes(size))
        || misplaced(deviceArea, USED_ALIGNMENT, SplitRing.usedBytes(size))) {
      stoppedWorking("A part of the queue is not aligned, or beyond the end of the address space.");
      return;
    }
    ring =
        new SplitQueue(
            new SplitQueue.Layout(
                index,
                size,
                descriptors,
                driverArea,
                deviceArea,
                (features & VirtioFeature.INDIRECT_DESC) != 0,
                (features & VirtioFeature.EVENT_IDX) != 0),
            device,
            engine,
            reader,
            memory,
            this);
    work = engine.repeated(ring::run, _ -> stoppedWorking("The queue's work failed."));
  }

  private static boolean misplaced(long iova, int alignment, long length) {
    return iova % alignment != 0 || Moves.wraps(iova, length);
  }

  /** Looks for what is available, if it has been started. */
  void look() {
    if (ring != null) {
      work.request();
    }
  }

  /**
   * Its fields are as after a reset of the device (2.6.1). Before this returns, all jobs of the
   * queue have ended.
   */
  void reset() {
    if (ring != null) {
      ring.stop();
    }
    engine.end();
    ring = null;
    work = null;
    size = most;
    vector = VirtioPci.NO_VECTOR;
    descriptors = 0;
    driverArea = 0;
    deviceArea = 0;
    enabled = false;
  }

  @Override
  public void usedBuffer() {
    interrupter.used(vector);
  }

  @Override
  public void lookAgain() {
    look();
  }

  @Override
  public void stoppedWorking(String why) {
    broken.accept("Queue %d: %s".formatted(index, why));
  }
}
