package dev.peerbar.driver;

import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.util.List;

/**
 * A PCIe function as its driver has it. For one thread at a time.
 *
 * <p>Every method throws {@link IOException} if the function, or what stands between it and the
 * driver, refuses or has gone.
 */
public interface Device extends AutoCloseable {

  /**
   * Reads config space.
   *
   * @param offset naturally aligned
   * @return zero-extended
   */
  long readConfig(int offset, AccessWidth width) throws IOException;

  /**
   * Writes config space.
   *
   * @param offset naturally aligned
   */
  void writeConfig(int offset, AccessWidth width, long value) throws IOException;

  /**
   * A BAR, all of it, by the way that is common here: accesses of registers are told to the
   * function one by one, memory is mapped. The same object each time.
   *
   * @param index 0 to 5
   */
  Memory bar(int index) throws IOException;

  /**
   * Memory of the driver's, zeroed, that the function reaches at an address of this device's
   * choosing: whole pages, readable and writable.
   *
   * @param length in bytes; rounded up to whole pages
   */
  DmaRange allocate(long length) throws IOException;

  /** The same at an address of the caller's choosing, a multiple of the page size. */
  DmaRange allocate(long iova, long length) throws IOException;

  /**
   * Takes memory away from the function that was given by {@link #allocate}, all of it. When this
   * returns, the function touches nothing of it any more.
   */
  void unmap(DmaRange memory) throws IOException;

  /**
   * Enables MSI-X, each vector unmasked and with a target of its own.
   *
   * @param vectors how many, from vector 0
   */
  List<Interrupt> enableMsix(int vectors) throws IOException;

  /**
   * Resets the function alone, as software does that has it to itself (PCIe 6.0 6.6.2). When this
   * returns, the function is as after power-on: config space has to be set up again, where nobody
   * between does that.
   */
  void reset() throws IOException;

  /**
   * Lets the function get on, in a wait for something that no interrupt tells: returns soon,
   * whether or not anything happened.
   */
  void relax() throws IOException;

  @Override
  void close() throws IOException;
}
