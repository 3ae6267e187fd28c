package dev.peerbar.pci;

import java.util.List;
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

  /**
   * A 32-bit BAR whose accesses the endpoint answers, but for its doorbells if they are mapped.
   *
   * @param mapped doorbells in shared memory
   * @param events writes that a client may announce by an event descriptor, the most useful first
   */
  record Registers(int index, long size, Optional<Doorbells> mapped, List<EventDoorbell> events)
      implements Bar {

    public Registers {
      events = List.copyOf(events);
    }

    /** Without event doorbells. */
    public Registers(int index, long size, Optional<Doorbells> mapped) {
      this(index, size, mapped, List.of());
    }
  }

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

  /**
   * A write that carries no news but that it happened: one value to one register. A client's kernel
   * can signal an event descriptor instead of having it sent as a message (KVM_IOEVENTFD with a
   * datamatch); the endpoint sees a write all the same. Several before it is told are one.
   *
   * @param offset of the register in the BAR, in bytes, naturally aligned
   * @param width of the write; a write of another width is a message as ever
   * @param value zero-extended to 64 bits; a write of another value is a message as ever
   */
  record EventDoorbell(long offset, AccessWidth width, long value) {}
}
