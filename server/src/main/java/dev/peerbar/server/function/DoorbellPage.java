package dev.peerbar.server.function;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.TimerSlack;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * Doorbells in memory shared with the client. A thread of its own watches for stores that no
 * message announces; what they mean is decided on the function's thread alone, which compares the
 * memory with what it has seen.
 */
final class DoorbellPage implements AutoCloseable {
  private static final VarHandle REGISTER =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  /** How long the watcher spins after a store: the next one of a burst is likely to be close. */
  private static final long SPIN_NANOS = 50_000;

  private static final long FIRST_PARK_NANOS = 10_000;
  private static final long LONGEST_PARK_NANOS = 1_000_000;

  /** How long the watcher does nothing when it has failed. */
  private static final long PAUSE_NANOS = 1_000_000_000;

  /** Told of a store, on the function's thread. */
  interface Listener {
    void rung(long offset, int value);
  }

  private final SharedBar memory;
  private final Bar.Doorbells layout;
  private final Listener listener;
  private final Executor functionThread;
  private final Consumer<Throwable> failure;
  // Written by the function's thread. The watcher only compares: a stale look costs one empty scan.
  private final int[] seen;
  private volatile boolean scanPending;
  private volatile boolean closed;
  private final Thread watcher;

  DoorbellPage(
      String name,
      SharedBar memory,
      Bar.Doorbells layout,
      Executor functionThread,
      Consumer<Throwable> failure,
      Listener listener) {
    this.memory = memory;
    this.layout = layout;
    this.listener = listener;
    this.functionThread = functionThread;
    this.failure = failure;
    this.seen = new int[layout.count()];
    this.watcher = Thread.ofPlatform().daemon().name(name + "-doorbells").unstarted(this::watch);
  }

  void start() {
    watcher.start();
  }

  FileDescriptor descriptor() {
    return memory.descriptor();
  }

  Region.Area area() {
    return new Region.Area(layout.offset(), layout.length());
  }

  boolean covers(long offset) {
    return offset >= layout.offset() && offset < layout.offset() + layout.length();
  }

  /** The whole BAR; only the doorbells' pages are shared with the client. */
  MemorySegment memory() {
    return memory.memory();
  }

  long read(long offset, AccessWidth width) {
    return switch (width) {
      case BYTE -> memory().get(ValueLayout.JAVA_BYTE, offset) & 0xffL;
      case WORD -> memory().get(ValueLayout.JAVA_SHORT, offset) & 0xffffL;
      case DWORD -> memory().get(ValueLayout.JAVA_INT, offset) & 0xffff_ffffL;
      case QWORD -> memory().get(ValueLayout.JAVA_LONG, offset);
    };
  }

  /** A store that came as a message; rings before it returns. */
  void write(long offset, AccessWidth width, long value) {
    switch (width) {
      case BYTE -> memory().set(ValueLayout.JAVA_BYTE, offset, (byte) value);
      case WORD -> memory().set(ValueLayout.JAVA_SHORT, offset, (short) value);
      case DWORD -> memory().set(ValueLayout.JAVA_INT, offset, (int) value);
      case QWORD -> memory().set(ValueLayout.JAVA_LONG, offset, value);
    }
    scan();
  }

  /** Sets one register to zero without ringing it, if it is one of these. */
  void clear(long offset) {
    if (!covers(offset) || (offset - layout.offset()) % layout.stride() != 0) {
      return;
    }
    int index = (int) ((offset - layout.offset()) / layout.stride());
    if (index < seen.length) {
      store(index, 0);
      seen[index] = 0;
    }
  }

  /** Sets the whole area to zero without ringing. */
  void clear() {
    memory().asSlice(layout.offset(), layout.length()).fill((byte) 0);
    Arrays.fill(seen, 0);
  }

  /** Rings what has not been seen yet, and copies the area. */
  byte[] save() {
    scan();
    return memory().asSlice(layout.offset(), layout.length()).toArray(ValueLayout.JAVA_BYTE);
  }

  /** Fills the area without ringing. */
  void restore(byte[] saved) {
    MemorySegment.copy(saved, 0, memory(), ValueLayout.JAVA_BYTE, layout.offset(), saved.length);
    ByteBuffer values = ByteBuffer.wrap(saved).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < seen.length; i++) {
      seen[i] = values.getInt(i * layout.stride());
    }
  }

  private void scan() {
    scanPending = false;
    for (int i = 0; i < seen.length; i++) {
      int value = load(i);
      if (value != seen[i]) {
        seen[i] = value;
        listener.rung(offset(i), value);
      }
    }
  }

  private void watch() {
    TimerSlack.least();
    while (!closed) {
      try {
        watchUntilClosed();
      } catch (RejectedExecutionException e) {
        // The function's thread has ended, and with it all that doorbells were for.
        failure.accept(e);
        return;
      } catch (RuntimeException | Error e) {
        failure.accept(e);
        // The next client has doorbells as well. Whatever it is, it may last.
        scanPending = false;
        LockSupport.parkNanos(PAUSE_NANOS);
      }
    }
  }

  private void watchUntilClosed() {
    long lastStore = System.nanoTime();
    long park = FIRST_PARK_NANOS;
    while (!closed) {
      if (!scanPending && changed()) {
        scanPending = true;
        functionThread.execute(this::scan);
        lastStore = System.nanoTime();
        park = FIRST_PARK_NANOS;
      } else if (System.nanoTime() - lastStore < SPIN_NANOS) {
        Thread.onSpinWait();
      } else {
        LockSupport.parkNanos(park);
        park = Math.min(2 * park, LONGEST_PARK_NANOS);
      }
    }
  }

  private boolean changed() {
    for (int i = 0; i < seen.length; i++) {
      if (load(i) != seen[i]) {
        return true;
      }
    }
    return false;
  }

  private int load(int index) {
    return (int) REGISTER.getAcquire(memory(), offset(index));
  }

  private void store(int index, int value) {
    REGISTER.setRelease(memory(), offset(index), value);
  }

  private long offset(int index) {
    return layout.offset() + (long) index * layout.stride();
  }

  @Override
  public void close() {
    closed = true;
    LockSupport.unpark(watcher);
    try {
      watcher.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
