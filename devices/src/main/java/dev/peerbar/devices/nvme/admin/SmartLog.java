package dev.peerbar.devices.nvme.admin;

import dev.peerbar.devices.nvme.io.IoCounters;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * The SMART / Health Information log (NVMe 1.4 5.14.1.2). It outlives resets; power is on since the
 * process began. For the function's thread.
 */
public final class SmartLog {
  /** What there is to warn of: the bits of Critical Warning. */
  enum Warning {
    TEMPERATURE(1, AsyncEvent.TEMPERATURE_THRESHOLD),
    RELIABILITY(2, AsyncEvent.RELIABILITY_DEGRADED);

    private final int bit;
    private final AsyncEvent event;

    Warning(int bit, AsyncEvent event) {
      this.bit = bit;
      this.event = event;
    }

    int mask() {
      return 1 << bit;
    }

    AsyncEvent event() {
      return event;
    }
  }

  static final int BYTES = 512;

  /** Composite temperature in kelvin: 35 degrees Celsius, as there is nothing to get warm. */
  static final int TEMPERATURE = 308;

  /** Above this, in kelvin, a driver is to warn. */
  static final int WARNING_TEMPERATURE = 343;

  /** Above this, in kelvin, a device would shut itself down. */
  static final int CRITICAL_TEMPERATURE = 358;

  private static final int ALL_SPARE = 100;
  private static final int LITTLE_SPARE = 10;

  // Offsets in bytes.
  private static final int CRITICAL_WARNING = 0;
  private static final int COMPOSITE_TEMPERATURE = 1;
  private static final int AVAILABLE_SPARE = 3;
  private static final int SPARE_THRESHOLD = 4;
  private static final int DATA_UNITS_READ = 32;
  private static final int DATA_UNITS_WRITTEN = 48;
  private static final int HOST_READS = 64;
  private static final int HOST_WRITES = 80;
  private static final int BUSY_MINUTES = 96;
  private static final int POWER_CYCLES = 112;
  private static final int POWER_ON_HOURS = 128;
  private static final int UNSAFE_SHUTDOWNS = 144;
  private static final int MEDIA_ERRORS = 160;
  private static final int ERROR_LOG_ENTRIES = 176;

  private final IoCounters counters;
  private final ErrorLog errors;
  private final LongSupplier nanoTime;
  private final long poweredOn;
  private long unsafeShutdowns;
  private boolean degraded;

  /**
   * @param nanoTime as {@link System#nanoTime} tells it
   */
  public SmartLog(IoCounters counters, ErrorLog errors, LongSupplier nanoTime) {
    this.counters = counters;
    this.errors = errors;
    this.nanoTime = nanoTime;
    poweredOn = nanoTime.getAsLong();
  }

  /** The host was lost, or reset the whole device, without having told the controller before. */
  public void unsafeShutdown() {
    unsafeShutdowns++;
  }

  /** Storage cannot be relied upon any more; says whether that is news. */
  boolean degrade() {
    boolean news = !degraded;
    degraded = true;
    return news;
  }

  boolean degraded() {
    return degraded;
  }

  /**
   * The log page.
   *
   * @param warnings bits of Critical Warning
   */
  byte[] page(int warnings) {
    long hours = TimeUnit.NANOSECONDS.toHours(nanoTime.getAsLong() - poweredOn);
    return new Page(BYTES)
        .put8(CRITICAL_WARNING, warnings)
        .put16(COMPOSITE_TEMPERATURE, TEMPERATURE)
        .put8(AVAILABLE_SPARE, ALL_SPARE)
        .put8(SPARE_THRESHOLD, LITTLE_SPARE)
        .put64(DATA_UNITS_READ, counters.dataUnitsRead())
        .put64(DATA_UNITS_WRITTEN, counters.dataUnitsWritten())
        .put64(HOST_READS, counters.hostReads())
        .put64(HOST_WRITES, counters.hostWrites())
        .put64(BUSY_MINUTES, counters.busyMinutes())
        .put64(POWER_CYCLES, 1)
        .put64(POWER_ON_HOURS, hours)
        .put64(UNSAFE_SHUTDOWNS, unsafeShutdowns)
        .put64(MEDIA_ERRORS, counters.mediaErrors())
        .put64(ERROR_LOG_ENTRIES, errors.count())
        .bytes();
  }
}
