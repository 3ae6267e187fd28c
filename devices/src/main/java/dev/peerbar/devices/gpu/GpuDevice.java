package dev.peerbar.devices.gpu;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.Picture;
import dev.peerbar.endpoint.Screenshots;
import dev.peerbar.endpoint.Timer;
import dev.peerbar.engine.Scratch;
import dev.peerbar.virtio.VirtioDevice;
import dev.peerbar.virtio.VirtioHost;
import dev.peerbar.virtio.VirtioIdentity;
import dev.peerbar.virtio.VirtioRequest;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.stream.IntStream;

/**
 * The virtio-gpu device (Virtual I/O Device 1.3, 5.7), without 3D.
 *
 * <p>Commands of both queues are carried out on one engine. The configuration is the function's
 * thread's.
 */
public final class GpuDevice implements VirtioDevice, Screenshots {
  static final long F_EDID = 1 << 1;
  static final long F_RESOURCE_UUID = 1 << 2;
  static final long F_RESOURCE_BLOB = 1 << 3;

  static final int CONTROL_QUEUE = 0;
  static final int CURSOR_QUEUE = 1;

  private static final int DEVICE_ID = 16;

  /** A display controller other than a VGA one (5.7.7). */
  private static final int CLASS_CODE = 0x038000;

  private static final String ENGINE = "gpu";
  private static final int CONTROL_SIZE = 256;
  private static final int CURSOR_SIZE = 16;

  // struct virtio_gpu_config (5.7.4), in words of 4 bytes.
  private static final int CONFIG_BYTES = 16;
  private static final int EVENTS_READ = 0;
  private static final int EVENTS_CLEAR = 1;
  private static final int NUM_SCANOUTS = 2;

  private static final int EVENT_DISPLAY = 1;

  private final VirtioIdentity identity =
      new VirtioIdentity(
          DEVICE_ID,
          CLASS_CODE,
          F_EDID | F_RESOURCE_UUID | F_RESOURCE_BLOB,
          CONFIG_BYTES,
          List.of(
              new VirtioIdentity.Queue("control", CONTROL_SIZE, ENGINE),
              new VirtioIdentity.Queue("cursor", CURSOR_SIZE, ENGINE)));

  private final int outputs;
  private final GpuLimits limits;
  private final Displays displays;
  private final AnswerDelays delays = new AnswerDelays();

  private final Scratch messages =
      new Scratch(Math.max(Response.MOST_BYTES, CommandType.MOST_BYTES));
  private final Scratch pieces = new Scratch(PixelReader.PIECE_BYTES);

  private VirtioHost host;
  private List<LateAnswers> late = List.of();
  private int events;

  private volatile Commands commands;

  public GpuDevice(GpuConfig config) {
    this(config, GpuLimits.DEFAULT);
  }

  public GpuDevice(GpuConfig config, GpuLimits limits) {
    this.limits = limits;
    outputs = config.outputs();
    displays = new Displays(config);
    commands = newCommands(0);
  }

  private Commands newCommands(long features) {
    PixelReader reader = new PixelReader(pieces);
    DriverState state = DriverState.empty(limits, outputs, reader);
    return new Commands(
        features,
        state,
        new ControlCommands(
            displays,
            state,
            reader,
            new EntryReader(pieces, PixelReader.PIECE_BYTES, limits.entries())),
        new CursorCommands(state, reader),
        delays,
        new AtomicReferenceArray<>(
            late.stream().map(LateAnswers::newQueue).toArray(AnswerQueue[]::new)),
        messages);
  }

  // For whoever serves the device.

  @Override
  public int outputs() {
    return outputs;
  }

  /**
   * What an output was flushed last, with the cursor where that is now; it may be asked before the
   * device is started.
   */
  @Override
  public Optional<Picture> screenshot(int output) {
    return commands.picture(output);
  }

  /**
   * Has an output prefer another size, and tells the driver. A reset does not undo it. For the
   * function's thread, once the device is started.
   *
   * @throws IndexOutOfBoundsException if there is no such output
   */
  public void resize(int output, DisplaySize size) {
    displays.resize(output, size);
    events |= EVENT_DISPLAY;
    host.configurationChanged();
  }

  /** Which commands are answered late, for those who test drivers. For any thread. */
  public AnswerDelays answerDelays() {
    return delays;
  }

  /** What the driver has of this process's memory, in bytes. For the engine's thread. */
  long hostBytes() {
    return commands.state().memory().used();
  }

  // What the transport asks.

  @Override
  public VirtioIdentity identity() {
    return identity;
  }

  @Override
  public Optional<Screenshots> screenshots() {
    return Optional.of(this);
  }

  @Override
  public void start(VirtioHost newHost) {
    host = newHost;
    late = IntStream.range(0, identity.queues().size()).mapToObj(LateAnswers::new).toList();
    commands = newCommands(0);
  }

  @Override
  public long readConfig(int offset, int bytes) {
    long value = 0;
    for (int i = bytes - 1; i >= 0; i--) {
      int at = offset + i;
      long word =
          switch (at / Integer.BYTES) {
            case EVENTS_READ -> events;
            case NUM_SCANOUTS -> outputs;
            default -> 0;
          };
      value = value << Byte.SIZE | word >>> at % Integer.BYTES * Byte.SIZE & 0xff;
    }
    return value;
  }

  @Override
  public void writeConfig(int offset, int bytes, long value) {
    for (int i = 0; i < bytes; i++) {
      int at = offset + i;
      if (at / Integer.BYTES == EVENTS_CLEAR) {
        int ones = (int) (value >>> i * Byte.SIZE & 0xff);
        events &= ~(ones << at % Integer.BYTES * Byte.SIZE);
      }
    }
  }

  @Override
  public void driverReady(long features) {
    commands = newCommands(features);
  }

  @Override
  public void queueReset(int queue) {
    late.get(queue).forget();
    commands.queueReset(queue, late.get(queue).newQueue());
  }

  @Override
  public void reset() {
    late.forEach(LateAnswers::forget);
    commands = newCommands(0);
    events = 0;
  }

  @Override
  public void handle(int queue, VirtioRequest request, Job job)
      throws DmaFaultException, JobEndedException {
    // Of before a reset, if there was one: the job has ended then, and goes no further than this.
    commands.handle(queue, request, job);
  }

  /** Answers of a queue that are given when time has passed. For the function's thread. */
  private final class LateAnswers {
    private final int queue;
    private final Timer timer;
    private Engine.Ticket giving = Engine.Ticket.NONE;

    LateAnswers(int queue) {
      this.queue = queue;
      timer = host.timer(this::give, LateAnswers::failed);
    }

    /** For answers of now on. */
    AnswerQueue newQueue() {
      return new AnswerQueue(timer::arm);
    }

    private void give() {
      AnswerQueue answers = commands.answers(queue);
      giving = host.engine(queue).submit(answers::expired);
    }

    void forget() {
      timer.cancel();
      giving.end();
    }

    /** There is no error to show: who is connected is hung up on. */
    private static void failed(Throwable cause) {
      throw new IllegalStateException("late answers cannot be given", cause);
    }
  }
}
