package dev.peerbar.virtio;

import dev.peerbar.endpoint.Interrupts;
import dev.peerbar.pci.PciFunction;

/**
 * Vectors, the ISR status and the interrupt pin (Virtual I/O Device 1.3, 4.1.4.5, 4.1.5.3 and
 * 4.1.5.4). For the function's thread.
 */
final class Interrupter {
  private final PciFunction function;
  private final Interrupts interrupts;
  private int configurationVector = VirtioPci.NO_VECTOR;
  private int isr;

  Interrupter(PciFunction function, Interrupts interrupts) {
    this.function = function;
    this.interrupts = interrupts;
  }

  /** The vector that a driver wants, or NO_VECTOR in place of one that there is not. */
  int mapped(long vector) {
    return vector < function.vectors() ? (int) vector : VirtioPci.NO_VECTOR;
  }

  int configurationVector() {
    return configurationVector;
  }

  void configurationVector(long vector) {
    configurationVector = mapped(vector);
  }

  /**
   * Tells that a queue has used a buffer.
   *
   * @param vector the queue's
   */
  void used(int vector) {
    if (function.msixEnabled()) {
      raise(vector);
    } else {
      isr |= VirtioPci.ISR_QUEUE;
      interrupts.pin(true);
    }
  }

  /** Tells that the configuration has changed. The bit is set with MSI-X too (4.1.4.5.1). */
  void configurationChanged() {
    isr |= VirtioPci.ISR_CONFIGURATION;
    if (function.msixEnabled()) {
      raise(configurationVector);
    } else {
      interrupts.pin(true);
    }
  }

  private void raise(int vector) {
    if (vector != VirtioPci.NO_VECTOR) {
      interrupts.raise(vector);
    }
  }

  /** Reads the ISR status, which clears it and deasserts the pin. */
  int readIsr() {
    int value = isr;
    clearIsr();
    return value;
  }

  private void clearIsr() {
    if (isr != 0) {
      isr = 0;
      interrupts.pin(false);
    }
  }

  void reset() {
    configurationVector = VirtioPci.NO_VECTOR;
    clearIsr();
  }
}
