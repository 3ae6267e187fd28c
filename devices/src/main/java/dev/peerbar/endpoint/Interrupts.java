package dev.peerbar.endpoint;

/** The MSI-X vectors of a function, and its INTx pin. For the function's thread. */
public interface Interrupts {

  /**
   * Signals a vector. If it is masked, or bus mastering is off, its pending bit is set instead and
   * the message goes out when that ends (PCIe 6.0 6.1.4.5). Does nothing while MSI-X is disabled or
   * for a vector the function does not have.
   */
  void raise(int vector);

  /**
   * Asserts or deasserts the interrupt pin, which is level-triggered: as long as it is asserted the
   * interrupt comes again whenever the client unmasks it. Config space's Interrupt Status follows.
   * Nothing is signalled while Interrupt Disable is set or MSI-X is enabled. A reset deasserts it.
   * Does nothing for a function without a pin.
   */
  void pin(boolean asserted);
}
