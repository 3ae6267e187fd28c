package dev.peerbar.server.function;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.server.fixture.Wire;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * A small device with a pin, two vectors and doorbells, which remembers what is written.
 *
 * <p>BAR 0, 4 bytes each: at 0x00 PIN, the level; at 0x04 RAISE, a vector; at 0x08 HOLD, which
 * keeps the function's thread until the test lets go; at 0x0c STORM, a vector that an engine raises
 * again and again until a reset.
 */
final class PinEndpoint implements Endpoint {
  static final int BAR = 0;
  static final long PIN = 0x00;
  static final long RAISE = 0x04;
  static final long HOLD = 0x08;
  static final long STORM = 0x0c;
  static final long BELL = 0x40;
  static final int VECTORS = 2;

  static final List<Bar.IoEventFd> BELLS =
      List.of(
          new Bar.IoEventFd(BELL, AccessWidth.DWORD, 7),
          new Bar.IoEventFd(BELL, AccessWidth.DWORD, 8),
          new Bar.IoEventFd(BELL + 8, AccessWidth.QWORD, -1),
          new Bar.IoEventFd(BELL + 16, AccessWidth.BYTE, 0xff));

  /** Stands among the writes for a reset. */
  static final Bar.IoEventFd RESET = new Bar.IoEventFd(-1, AccessWidth.BYTE, 0);

  private final PciFunction function =
      PciFunction.builder()
          .identity(0x1234, 0x0001)
          .classCode(0xff0000)
          .interruptPin(1)
          .registers(BAR, 4096, BELLS)
          .msix(4, 4096, VECTORS, 0, 0x800)
          .build();
  private final Queue<Bar.IoEventFd> written = new ConcurrentLinkedQueue<>();
  private volatile CountDownLatch held = new CountDownLatch(0);
  private volatile CountDownLatch reached = new CountDownLatch(0);
  private Host host;
  private Engine engine;
  private long pin;

  @Override
  public PciFunction function() {
    return function;
  }

  @Override
  public void start(Host newHost) {
    host = newHost;
    engine = host.engine("storm");
  }

  @Override
  public long read(int bar, long offset, AccessWidth width) {
    return offset == PIN ? pin : 0;
  }

  @Override
  public void write(int bar, long offset, AccessWidth width, long value) {
    if (offset == PIN) {
      pin = value;
      host.interrupts().pin(value != 0);
    } else if (offset == RAISE) {
      host.interrupts().raise((int) value);
    } else if (offset == STORM) {
      engine.submit(job -> {
        while (true) {
          job.raise((int) value);
        }
      });
    } else if (offset == HOLD) {
      hold();
    } else {
      written.add(new Bar.IoEventFd(offset, width, value));
    }
  }

  private void hold() {
    reached.countDown();
    try {
      if (!held.await(Wire.LIMIT.toSeconds(), TimeUnit.SECONDS)) {
        throw new AssertionError("never let go");
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void reset(ResetKind kind) {
    pin = 0;
    written.add(RESET);
  }

  // For tests, on their threads.

  /** From now on a write of HOLD waits for the latch that is returned. */
  CountDownLatch holdNext() {
    reached = new CountDownLatch(1);
    held = new CountDownLatch(1);
    return held;
  }

  void awaitHeld() throws InterruptedException {
    if (!reached.await(Wire.LIMIT.toSeconds(), TimeUnit.SECONDS)) {
      throw new AssertionError("nobody wrote HOLD");
    }
  }

  /** What was written to other registers, in order, and resets. */
  Queue<Bar.IoEventFd> written() {
    return written;
  }
}
