package dev.peerbar.pci;

import dev.peerbar.pci.ConfigLayout.Msi;

/**
 * The MSI capability (PCIe 6.0 7.7.1), with 64-bit addresses and per-vector masks: what a driver
 * has set up, and what is pending. No message is sent from here. For the function's thread.
 *
 * <p>Mask and pending bits are config space's, so that resets and migration are too.
 */
public final class MsiCapability {
  /** The most vectors that a function can have. */
  public static final int MOST_VECTORS = 32;

  private final ConfigSpace space;
  private final int at;
  private final int vectors;

  MsiCapability(ConfigSpace space, CapabilityChains chains, int vectors) {
    this.space = space;
    this.vectors = vectors;
    at = chains.addStandard(Msi.ID, Msi.LENGTH);
    int capable = Integer.numberOfTrailingZeros(vectors) << Msi.MULTIPLE_MESSAGE_CAPABLE_SHIFT;
    space
        .declare(at + Msi.MESSAGE_CONTROL, 2, capable | Msi.ADDRESS_64 | Msi.PER_VECTOR_MASKING)
        .writable(Msi.ENABLE | Msi.MULTIPLE_MESSAGE_ENABLE);
    space.declare(at + Msi.MESSAGE_ADDRESS, 4, 0).writable(0xffff_ffffL & ~Msi.ADDRESS_LOW_BITS);
    space.declare(at + Msi.MESSAGE_UPPER_ADDRESS, 4, 0).writable(0xffff_ffffL);
    space.declare(at + Msi.MESSAGE_DATA, 2, 0).writable(0xffff);
    long each = (1L << vectors) - 1;
    space.declare(at + Msi.MASK_BITS, 4, 0).writable(each);
    space.declare(at + Msi.PENDING_BITS, 4, 0).changedByDevice(each);
  }

  /** How many the function can use: 1, 2, 4, 8, 16 or 32. */
  public int vectors() {
    return vectors;
  }

  /** The Enable bit alone: see {@link PciFunction#msiEnabled}. */
  boolean enabled() {
    return (control() & Msi.ENABLE) != 0;
  }

  /**
   * How many the driver lets the function use: a power of two, at most {@link #vectors}. Software
   * that allocates more than the function asked for gives no more than that.
   */
  public int allocated() {
    int shift = (control() & Msi.MULTIPLE_MESSAGE_ENABLE) >>> Msi.MULTIPLE_MESSAGE_ENABLE_SHIFT;
    return Math.min(1 << shift, vectors);
  }

  /**
   * Which of the messages stands for a vector of the endpoint's. A message is told from the next by
   * the low bits of its data (PCIe 6.0 6.1.4.2), so a vector has the message with the low bits of
   * its number: with one message allocated, all share it.
   *
   * @param vector not negative
   */
  public int message(int vector) {
    return vector & allocated() - 1;
  }

  /** The mask bit of a message. */
  public boolean masked(int message) {
    return (space.get(at + Msi.MASK_BITS, 4) >>> message & 1) != 0;
  }

  public boolean isPending(int message) {
    return (pending() >>> message & 1) != 0;
  }

  public void setPending(int message) {
    space.set(at + Msi.PENDING_BITS, 4, pending() | 1L << message);
  }

  public void clearPending(int message) {
    space.set(at + Msi.PENDING_BITS, 4, pending() & ~(1L << message));
  }

  /** Where the driver wants messages. */
  public long messageAddress() {
    return space.get(at + Msi.MESSAGE_ADDRESS, 8);
  }

  /** What the driver wants a message to say. */
  public int messageData(int message) {
    return (int) space.get(at + Msi.MESSAGE_DATA, 2) & -allocated() | message;
  }

  private long pending() {
    return space.get(at + Msi.PENDING_BITS, 4);
  }

  private int control() {
    return space.word(at + Msi.MESSAGE_CONTROL);
  }

  /** Changes with what decides whether a message may be sent. */
  long state() {
    return (long) control() << Integer.SIZE | space.get(at + Msi.MASK_BITS, 4);
  }
}
