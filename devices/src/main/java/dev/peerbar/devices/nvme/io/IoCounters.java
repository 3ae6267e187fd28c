package dev.peerbar.devices.nvme.io;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

/** What the SMART log counts (NVMe 1.4 5.14.1.2), since the process began. Any thread. */
public final class IoCounters {
  private static final int UNIT = 1000 * 512;

  private final LongAdder bytesRead = new LongAdder();
  private final LongAdder bytesWritten = new LongAdder();
  private final LongAdder reads = new LongAdder();
  private final LongAdder writes = new LongAdder();
  private final LongAdder busyNanos = new LongAdder();
  private final LongAdder mediaErrors = new LongAdder();

  /** Thousands of 512 bytes that commands have read, rounded up. */
  public long dataUnitsRead() {
    return Math.ceilDiv(bytesRead.sum(), UNIT);
  }

  /** Thousands of 512 bytes that commands have written, rounded up. */
  public long dataUnitsWritten() {
    return Math.ceilDiv(bytesWritten.sum(), UNIT);
  }

  /** Read commands completed. */
  public long hostReads() {
    return reads.sum();
  }

  /** Write commands completed. */
  public long hostWrites() {
    return writes.sum();
  }

  /** How long I/O commands were being executed, in whole minutes. */
  public long busyMinutes() {
    return TimeUnit.NANOSECONDS.toMinutes(busyNanos.sum());
  }

  /** Commands that storage failed. */
  public long mediaErrors() {
    return mediaErrors.sum();
  }

  void read(long bytes, boolean command) {
    bytesRead.add(bytes);
    if (command) {
      reads.increment();
    }
  }

  void wrote(long bytes) {
    bytesWritten.add(bytes);
    writes.increment();
  }

  void busy(long nanos) {
    busyNanos.add(nanos);
  }

  void mediaError() {
    mediaErrors.increment();
  }
}
