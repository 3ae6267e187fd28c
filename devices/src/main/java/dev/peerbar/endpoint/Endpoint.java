package dev.peerbar.endpoint;

import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import java.util.Optional;

/**
 * A virtual PCIe function, as its author writes it.
 *
 * <p>It declares what it has to a {@link dev.peerbar.pci.PciFunctionBuilder}, registers of config
 * space included, and answers here for its register BARs. All else it is given by its {@link Host}.
 *
 * <p>The host calls every method on the function's thread, one at a time, and never before {@link
 * #start}. No method may wait for anything: a client may be waiting for the answer, and answers
 * nothing itself meanwhile.
 */
public interface Endpoint {

  /**
   * What the function is: identity, BARs, capabilities, vectors. The same object on every call; it
   * also carries the function's config space state.
   */
  PciFunction function();

  /** Gives the endpoint its host. Called once, before any other method but {@link #function}. */
  void start(Host host);

  /**
   * A read of a register BAR. The host has checked that it is naturally aligned and inside the BAR,
   * and that it is not in a mappable area or in the MSI-X structures, which the host serves.
   *
   * @return the value, little-endian, zero-extended
   */
  long read(int bar, long offset, AccessWidth width);

  /**
   * A write of a register BAR, checked as for {@link #read}. A doorbell that was rung through
   * shared memory (see {@link dev.peerbar.pci.Bar.Doorbells}) arrives here too, as a write of its
   * register.
   *
   * @param value zero-extended to 64 bits
   */
  void write(int bar, long offset, AccessWidth width, long value);

  /**
   * The function is reset. All jobs have ended, nothing they queued will run, all timers are
   * cancelled, the config space has its reset values, mapped doorbells are clear; the endpoint
   * clears its own registers.
   */
  void reset(ResetKind kind);

  /** Bus Master Enable changed (PCIe 6.0 7.5.1.1.3, Command bit 2). */
  default void busMasterChanged(boolean enabled) {}

  /** Memory Space Enable changed (PCIe 6.0 7.5.1.1.3, Command bit 1). */
  default void memorySpaceChanged(boolean enabled) {}

  /**
   * What it shows, if it has outputs. The same on every call; may be asked before {@link #start}.
   */
  default Optional<Screenshots> screenshots() {
    return Optional.empty();
  }
}
