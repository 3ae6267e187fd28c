package dev.peerbar.endpoint;

/**
 * How a function interrupts. For the function's thread.
 *
 * <p>Its driver has one of three mechanisms in force at a time, and an endpoint may offer all of
 * them. {@link #raise} goes to MSI-X or MSI, whichever is enabled, {@link #pin} to INTx. An
 * endpoint that has both calls both: neither does anything while the other is in force.
 *
 * <ul>
 *   <li>MSI-X: vector n is entry n of the table.
 *   <li>MSI: vector n is the message whose number is the low bits of n, as many as the driver has
 *       allocated messages for (PCIe 6.0 6.1.4.2). With one message all vectors share it, and the
 *       driver looks into registers for what has happened.
 *   <li>INTx: one pin for all, and a level: nothing of {@link #raise} comes there.
 * </ul>
 */
public interface Interrupts {

  /**
   * Signals a vector. If it is masked, or bus mastering is off, its pending bit is set instead and
   * the message goes out when that ends (PCIe 6.0 6.1.4.5). Does nothing while neither MSI-X nor
   * MSI is enabled or for a vector the function does not have.
   *
   * @param vector 0 up to {@link dev.peerbar.pci.PciFunction#vectors}
   */
  void raise(int vector);

  /**
   * Asserts or deasserts the interrupt pin, which is level-triggered: as long as it is asserted the
   * interrupt comes again whenever the client unmasks it. Config space's Interrupt Status follows.
   * Nothing is signalled while Interrupt Disable is set, or MSI or MSI-X is enabled. A reset
   * deasserts it. Does nothing for a function without a pin.
   */
  void pin(boolean asserted);

  /**
   * Tells the client that the device has had an error that its driver cannot handle, as a kernel
   * tells of an uncorrectable error that PCIe has reported (linux/vfio.h, VFIO_PCI_ERR_IRQ_INDEX).
   * QEMU stops the virtual machine then, for ever. Neither a mask nor bus mastering holds it back.
   *
   * @return whether the client wants to know: if not, nobody was told
   */
  default boolean error() {
    return false;
  }

  /**
   * Asks the client to give the device back, as a kernel does whose administrator takes it away
   * (linux/vfio.h, VFIO_PCI_REQ_IRQ_INDEX). QEMU unplugs it from the guest then, which may take as
   * long as the guest likes, or never happen. May be asked again.
   *
   * @return whether the client wants to know: if not, nobody was asked
   */
  default boolean requestRelease() {
    return false;
  }
}
