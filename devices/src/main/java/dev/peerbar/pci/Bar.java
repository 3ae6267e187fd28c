package dev.peerbar.pci;

import java.util.Optional;

/**
 * A base address register, as declared.
 *
 * <p>Sizes are powers of two, in bytes. A 64-bit BAR takes the next index too.
 */
public sealed interface Bar {

  /** 0 to 5. */
  int index();

  /** In bytes, a power of two, at least 16. */
  long size();

  /** A 32-bit BAR whose accesses the endpoint answers, but for its doorbells if they are mapped. */
  record Registers(int index, long size, Optional<Doorbells> mapped) implements Bar {}

  /** A 64-bit prefetchable BAR that is memory through and through, shared with the client. */
  record Memory(int index, long size) implements Bar {}

  /** A 32-bit BAR that holds the MSI-X structures and nothing else; the host serves it. */
  record Msix(int index, long size) implements Bar {}

  /**
   * Doorbell registers in memory shared with the client: page-aligned, whole pages. They read back
   * what was stored. The host watches 4-byte registers at {@code offset}, {@code offset + stride}
   * and so on, and reports a change as a write to the endpoint.
   *
   * @param offset of the area in the BAR, in bytes
   * @param length of the area, in bytes
   * @param stride between registers, in bytes
   * @param count of registers
   */
  record Doorbells(long offset, long length, int stride, int count) {}
}
