package dev.peerbar.endpoint;

/** The MSI-X vectors of a function. For the function's thread. */
public interface Interrupts {

  /**
   * Signals a vector. If it is masked, or bus mastering is off, its pending bit is set instead and
   * the message goes out when that ends (PCIe 6.0 6.1.4.5). Does nothing while MSI-X is disabled or
   * for a vector the function does not have.
   */
  void raise(int vector);
}
