package dev.peerbar.virtio;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.Timer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Answers what it reads in upper case, as much as there is room for. Queues 0 and 2 share an
 * engine. It can be told to hold requests, and to complete them later.
 */
public final class ShoutingDevice implements VirtioDevice {
  static final int TYPE = 42;
  static final int CLASS_CODE = 0xff0000;
  static final long FEATURE = 1L << 5;
  static final int CONFIG_BYTES = 12;
  private static final int MOST_BYTES = 1 << 12;

  final ByteBuffer config = ByteBuffer.allocate(CONFIG_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  final List<VirtioRequest> held = new ArrayList<>();

  /** The queue of each. */
  final List<Integer> heldQueues = new ArrayList<>();

  final List<String> journal = new ArrayList<>();

  /** What it threw without having been told to. */
  final List<Throwable> mistakes = new ArrayList<>();

  VirtioHost host;
  Timer timer;
  boolean holds;
  boolean throwsNext;
  int handled;
  long bytesRead;

  private final VirtioIdentity identity;

  public ShoutingDevice() {
    this(
        new VirtioIdentity(
            TYPE,
            CLASS_CODE,
            FEATURE,
            CONFIG_BYTES,
            List.of(
                new VirtioIdentity.Queue("loud", 16, "one"),
                new VirtioIdentity.Queue("louder", 8, "two"),
                new VirtioIdentity.Queue("loudest", 16, "one"))));
  }

  ShoutingDevice(VirtioIdentity identity) {
    this.identity = identity;
  }

  @Override
  public VirtioIdentity identity() {
    return identity;
  }

  @Override
  public void start(VirtioHost newHost) {
    host = newHost;
    timer = newHost.timer(() -> journal.add("timer"), _ -> {});
  }

  @Override
  public long readConfig(int offset, int bytes) {
    long value = 0;
    for (int i = 0; i < bytes; i++) {
      value |= Byte.toUnsignedLong(config.get(offset + i)) << i * Byte.SIZE;
    }
    return value;
  }

  @Override
  public void writeConfig(int offset, int bytes, long value) {
    for (int i = 0; i < bytes; i++) {
      config.put(offset + i, (byte) (value >>> i * Byte.SIZE));
    }
  }

  @Override
  public void driverReady(long features) {
    journal.add("ready 0x%x".formatted(features));
  }

  @Override
  public void reset() {
    held.clear();
    heldQueues.clear();
    journal.add("reset");
  }

  @Override
  public void queueReset(int queue) {
    held.clear();
    heldQueues.clear();
    journal.add("reset " + queue);
  }

  @Override
  public void handle(int queue, VirtioRequest request, Job job)
      throws DmaFaultException, JobEndedException {
    handled++;
    if (throwsNext) {
      throwsNext = false;
      throw new IllegalStateException("a mistake");
    }
    if (holds) {
      held.add(request);
      heldQueues.add(queue);
      return;
    }
    try {
      shout(request, job);
    } catch (RuntimeException | Error e) {
      mistakes.add(e);
      throw e;
    }
  }

  void shout(VirtioRequest request, Job job) throws DmaFaultException, JobEndedException {
    long bytes = Math.min(Math.min(request.readable(), request.writable()), MOST_BYTES);
    MemorySegment text = Arena.ofAuto().allocate(Math.max(bytes, 1)).asSlice(0, bytes);
    request.read(job, 0, text);
    bytesRead += bytes;
    for (long i = 0; i < bytes; i++) {
      byte letter = text.get(ValueLayout.JAVA_BYTE, i);
      if (letter >= 'a' && letter <= 'z') {
        text.set(ValueLayout.JAVA_BYTE, i, (byte) (letter - 'a' + 'A'));
      }
    }
    request.write(job, 0, text);
    request.complete(job, bytes);
  }

  /** Completes a request that it holds, in a job of its own. */
  Engine.Ticket release(int queue, VirtioRequest request) {
    return host.engine(queue)
        .submit(job -> {
          try {
            shout(request, job);
          } catch (DmaFaultException fault) {
            request.complete(job, 0);
          }
        });
  }
}
