package dev.peerbar.driver;

import java.io.IOException;
import java.util.List;

/**
 * What drivers of functions with a BAR of registers and with MSI-X have in common. For one thread
 * at a time.
 */
public abstract class FunctionDriver {
  private final Device device;
  private final Config config;
  private final Memory registers;
  private List<Interrupt> vectors;

  /**
   * Does nothing to the function.
   *
   * @param bar the registers'
   * @param vectors from vector 0 on; none for a driver that never waits for one
   */
  protected FunctionDriver(Device device, int bar, List<Interrupt> vectors) throws IOException {
    this.device = device;
    this.vectors = List.copyOf(vectors);
    config = new Config(device);
    registers = device.bar(bar);
  }

  /**
   * What is to be done first and after every reset of the function: the BARs answer, the bus is
   * mastered, MSI-X is on. The rest is to be set up again afterwards.
   */
  public final void setUp() throws IOException {
    config.memorySpace(true);
    config.busMaster(true);
    vectors = List.copyOf(device.enableMsix(wantedVectors()));
  }

  /** How many vectors {@link #setUp} enables, from vector 0 on. The BARs answer. */
  protected abstract int wantedVectors() throws IOException;

  public final Device device() {
    return device;
  }

  public final Config config() {
    return config;
  }

  /** The BAR of registers. */
  public final Memory registers() {
    return registers;
  }

  /** The vectors of MSI-X, from 0 on. */
  public final List<Interrupt> vectors() {
    return vectors;
  }

  /** Reads a register of 4 bytes, at an offset in the BAR. */
  public final int read(long register) throws IOException {
    return registers.loadInt(register);
  }

  /** Reads a register of 8 bytes. */
  public final long readLong(long register) throws IOException {
    return registers.loadLong(register);
  }

  /** Writes a register of 4 bytes. */
  public final void write(long register, int value) throws IOException {
    registers.storeInt(register, value);
  }

  /** Writes a register of 8 bytes. */
  public final void writeLong(long register, long value) throws IOException {
    registers.storeLong(register, value);
  }

  /** Forgets interrupts that have come; how many there were. */
  public final long drainInterrupts() throws IOException {
    long count = 0;
    for (Interrupt vector : vectors) {
      count += vector.drain();
    }
    return count;
  }
}
