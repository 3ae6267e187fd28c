package dev.peerbar.driver.hbm;

import dev.peerbar.devices.hbm.CompletionRecord;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.Device;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.FunctionDriver;
import dev.peerbar.driver.Interrupt;
import dev.peerbar.driver.Memory;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/**
 * Drives an HBM endpoint: its registers (BAR 0), its interrupts (vector 0 for faults, n + 1 for
 * channel n), its channels. For one thread at a time.
 */
public final class HbmDriver extends FunctionDriver {
  /** How long an interrupt may take on a busy machine. */
  public static final Duration LIMIT = Duration.ofSeconds(60);

  private static final int FAULT_VECTOR = 0;
  private static final int CHANNELS_MASK = 0xff;

  /**
   * Does nothing to the function.
   *
   * @param vectors 0 for faults, the others for the channels; none for a driver that never waits
   *     for one
   */
  public HbmDriver(Device device, List<Interrupt> vectors) throws IOException {
    super(device, HbmRegisters.BAR, vectors);
  }

  /** Takes over a function, {@link #setUp} included. */
  public static HbmDriver of(Device device) throws IOException {
    HbmDriver driver = new HbmDriver(device, List.of());
    driver.setUp();
    return driver;
  }

  @Override
  protected int wantedVectors() throws IOException {
    return channels() + 1;
  }

  /** BAR 2: the memory. */
  public Memory memory() throws IOException {
    return device().bar(HbmRegisters.MEMORY_BAR);
  }

  /** How many channels there are. */
  public int channels() throws IOException {
    return read(HbmRegisters.CAPS) & CHANNELS_MASK;
  }

  /** STATUS. */
  public int status() throws IOException {
    return read(HbmRegisters.STATUS);
  }

  /** FAULT: the latched fault, or 0. */
  public int fault() throws IOException {
    return read(HbmRegisters.FAULT);
  }

  /** FAULT_ADDR: the latched fault's address, if it is about one. */
  public long faultAddress() throws IOException {
    return readLong(HbmRegisters.FAULT_ADDR);
  }

  /** Lets the next fault latch. */
  public void clearFault() throws IOException {
    write(HbmRegisters.FAULT, HbmRegisters.FAULT_LATCHED);
  }

  /** Waits for the fault vector; false if it was not signalled in time. */
  public boolean awaitFault(Duration limit) throws IOException {
    return vectors().get(FAULT_VECTOR).await(limit) != 0;
  }

  /**
   * A channel with a ring and completion records in memory of its own.
   *
   * @param entries of the ring, a power of two; one fewer can wait in it
   */
  public HbmChannel channel(int index, int entries) throws IOException {
    long ring = (long) entries * Descriptor.BYTES;
    DmaRange memory = device().allocate(ring + (long) entries * CompletionRecord.BYTES);
    return channel(
        index, memory.slice(0, ring), memory.slice(ring, (long) entries * CompletionRecord.BYTES));
  }

  /**
   * A channel without completion records of its own.
   *
   * @param ring wherever it is; the channel has as many entries as fit
   */
  public HbmChannel channel(int index, DmaRange ring) {
    return new HbmChannel(this, index, ring, ring.slice(0, 0));
  }

  /**
   * @param ring wherever it is; the channel has as many entries as fit
   * @param records as many, wherever they are
   */
  public HbmChannel channel(int index, DmaRange ring, DmaRange records) {
    return new HbmChannel(this, index, ring, records);
  }
}
